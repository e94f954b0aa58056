"""Priorities of callers, and jobs that are taken back."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

import pytest

from models.engine.batcher import BatchConfig, Batcher, JobRefused
from models.engine.scheduling.choosing import PolicyName
from tests.models.engine.test_batcher import Gate, Number, soon, start

ONE_BY_ONE = BatchConfig(batch_jobs=1)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.opened.set()


def computed(gate: Gate, batcher: Batcher[Number, int]) -> list[int]:
    """The values in the order in which they are computed, without the one that held the thread."""
    gate.opened.set()
    batcher.close()
    return [value for batch in gate.batches for value in batch][1:]


def queue(
    batcher: Batcher[Number, int], values: Sequence[int], priority: int = 0, tokens: int = 10
) -> list[Future[int]]:
    """Queue one caller's jobs."""
    return batcher.submit_many([Number(value, tokens) for value in values], soon(), priority)


def test_the_highest_priority_is_computed_first_and_callers_of_one_priority_in_their_order(
    gate: Gate,
) -> None:
    batcher = start(gate, ONE_BY_ONE)
    for value, priority in ((1, 0), (2, -3), (3, 5), (4, 0), (5, 5)):
        queue(batcher, [value], priority)
    assert computed(gate, batcher) == [3, 5, 1, 4, 2]


def test_callers_of_one_priority_take_turns_and_a_lower_one_waits_for_all_of_them(gate: Gate) -> None:
    batcher = start(gate, ONE_BY_ONE)
    queue(batcher, [21, 22])
    queue(batcher, [1, 2, 3], priority=1)
    queue(batcher, [11], priority=1)
    assert computed(gate, batcher) == [1, 11, 2, 3, 21, 22]


def test_a_batch_that_a_higher_priority_does_not_fill_takes_jobs_of_a_lower_one(gate: Gate) -> None:
    batcher = start(gate, BatchConfig(batch_jobs=3))
    queue(batcher, [1, 2])
    queue(batcher, [7], priority=1)
    gate.opened.set()
    batcher.close()
    assert gate.batches == [[0], [7, 1, 2]]


def test_a_line_that_was_emptied_and_filled_again_keeps_its_place(gate: Gate) -> None:
    batcher = start(gate, ONE_BY_ONE)
    batcher.withdraw(queue(batcher, [1], priority=4))
    queue(batcher, [2], priority=2)
    queue(batcher, [3], priority=4)
    queue(batcher, [4], priority=3)
    assert computed(gate, batcher) == [3, 4, 2]


def test_a_lower_priority_is_refused_for_work_that_does_not_delay_a_higher_one(gate: Gate) -> None:
    batcher = start(gate)
    batcher.tokens_per_s = 100.0
    queue(batcher, [1], tokens=600)
    with pytest.raises(JobRefused) as refused:
        queue(batcher, [2], priority=-1, tokens=600)
    assert refused.value.reason == "deadline unreachable"
    assert not queue(batcher, [3], priority=1, tokens=600)[0].done()


def test_withdrawn_jobs_free_their_room_at_once(gate: Gate) -> None:
    batcher = start(gate, BatchConfig(queue_jobs=2, queue_tokens=40))
    gone = queue(batcher, [1, 2])
    with pytest.raises(JobRefused, match="queue is full"):
        queue(batcher, [3])
    batcher.withdraw(gone)
    assert batcher.pending_tokens == 10
    assert all(future.cancelled() for future in gone)
    queue(batcher, [4, 5])
    assert computed(gate, batcher) == [4, 5]
    assert batcher.pending_tokens == 0


def test_only_what_still_waits_is_withdrawn(gate: Gate) -> None:
    batcher: Batcher[Number, int] = Batcher(gate.run, ONE_BY_ONE)
    begun, waiting = queue(batcher, [0, 1])
    assert gate.entered.wait(5)
    batcher.withdraw([begun, waiting])
    assert (begun.cancelled(), waiting.cancelled(), batcher.pending_tokens) == (False, True, 10)
    assert computed(gate, batcher) == []
    assert begun.result(0) == 0


def test_withdrawing_twice_or_what_is_done_or_of_another_batcher_changes_nothing(gate: Gate) -> None:
    batcher = start(gate, ONE_BY_ONE)
    gone, kept = queue(batcher, [1]), queue(batcher, [2])
    batcher.withdraw(gone)
    batcher.withdraw(gone)
    batcher.withdraw([Future()])
    batcher.withdraw([])
    assert batcher.pending_tokens == 20
    assert computed(gate, batcher) == [2]
    batcher.withdraw(kept)
    assert (kept[0].result(0), batcher.pending_tokens) == (4, 0)


def test_turns_go_on_after_a_caller_between_two_others_has_withdrawn(gate: Gate) -> None:
    batcher = start(gate, ONE_BY_ONE)
    queue(batcher, [1, 2])
    gone = queue(batcher, [11, 12])
    queue(batcher, [21, 22])
    batcher.withdraw(gone)
    assert computed(gate, batcher) == [1, 21, 2, 22]


def test_a_batch_whose_jobs_are_withdrawn_while_it_waits_for_company_does_not_end_the_thread(
    gate: Gate,
) -> None:
    gate.opened.set()
    batcher: Batcher[Number, int] = Batcher(gate.run, BatchConfig(batch_jobs=2, linger_s=0.05))
    batcher.withdraw(queue(batcher, [1]))
    time.sleep(0.1)
    assert [future.result(5) for future in queue(batcher, [2, 3])] == [4, 6]
    assert gate.batches == [[2, 3]]


def test_a_policy_computes_jobs_that_share_a_prefix_together(gate: Gate) -> None:
    """Here jobs of the same parity."""
    config = BatchConfig(batch_jobs=3, policy=PolicyName.DENSITY)
    batcher: Batcher[Number, int] = Batcher(
        gate.run, config, divided=lambda job: ([job.value % 2], job.tokens - 1)
    )
    begun = queue(batcher, [0])
    assert gate.entered.wait(5)
    futures = [one for value in range(1, 7) for one in queue(batcher, [value])]
    gate.opened.set()
    assert [future.result(5) for future in [*begun, *futures]] == [0, 2, 4, 6, 8, 10, 12]
    assert sorted(map(sorted, gate.batches)) == [[0], [1, 3, 5], [2, 4, 6]]
