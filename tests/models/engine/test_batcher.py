import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import pytest

from models.engine.batcher import BatchConfig, Batcher, BatchRun, JobRefused
from schemas.errors import ConfigError, ModelUnavailable
from schemas.settings import build
from tests.models.running import eventually


@dataclass(frozen=True)
class Number:
    value: int
    tokens: int = 10


@dataclass
class Gate:
    """Doubles numbers once it is open; fails on negative ones."""

    opened: threading.Event = field(default_factory=threading.Event)
    entered: threading.Event = field(default_factory=threading.Event)
    batches: list[list[int]] = field(default_factory=list)

    def run(self, jobs: Sequence[Number]) -> list[int]:
        self.entered.set()
        self.opened.wait()
        self.batches.append([job.value for job in jobs])
        if any(job.value < 0 for job in jobs):
            raise ArithmeticError("negative")
        return [2 * job.value for job in jobs]


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.opened.set()


def soon() -> float:
    return time.monotonic() + 5


def submit(batcher: Batcher[Number, int], job: Number, deadline: float) -> Future[int]:
    """Queue one caller's only job."""
    (future,) = batcher.submit_many([job], deadline)
    return future


def start(gate: Gate, config: BatchConfig | None = None) -> Batcher[Number, int]:
    """A batcher whose thread is held inside its first job."""
    batcher: Batcher[Number, int] = Batcher(gate.run, config or BatchConfig())
    submit(batcher, Number(0), soon())
    assert gate.entered.wait(5)
    return batcher


def test_jobs_that_wait_are_run_together_up_to_the_token_budget_in_their_order(gate: Gate) -> None:
    batcher = start(gate, BatchConfig(batch_tokens=25))
    futures = [submit(batcher, Number(i), soon()) for i in range(1, 6)]
    gate.opened.set()
    assert [future.result(5) for future in futures] == [2, 4, 6, 8, 10]
    assert gate.batches == [[0], [1, 2], [3, 4], [5]]


def test_a_batch_waits_for_company_until_it_is_full() -> None:
    gate = Gate()
    gate.opened.set()
    batcher: Batcher[Number, int] = Batcher(gate.run, BatchConfig(batch_jobs=3, linger_s=5.0))
    futures = [submit(batcher, Number(value), soon()) for value in (1, 2, 3, 4)]
    assert [future.result(4) for future in futures[:3]] == [2, 4, 6]
    batcher.close()
    assert futures[3].result(0) == 8
    assert gate.batches == [[1, 2, 3], [4]]


def test_a_job_over_the_budget_is_run_alone(gate: Gate) -> None:
    batcher = start(gate, BatchConfig(batch_tokens=25))
    futures = [submit(batcher, Number(i, tokens), soon()) for i, tokens in enumerate([10, 99, 10], 1)]
    gate.opened.set()
    assert [future.result(5) for future in futures] == [2, 4, 6]
    assert gate.batches == [[0], [1], [2], [3]]


def test_only_the_job_that_cannot_be_computed_fails(gate: Gate) -> None:
    batcher = start(gate)
    futures = [submit(batcher, Number(i), soon()) for i in (1, -1, 2)]
    gate.opened.set()
    assert futures[0].result(5) == 2
    assert futures[2].result(5) == 4
    with pytest.raises(ArithmeticError):
        futures[1].result(5)
    assert batcher.alive
    assert submit(batcher, Number(7), soon()).result(5) == 14


def test_a_full_queue_refuses_with_a_time_to_come_back(gate: Gate) -> None:
    batcher = start(gate, BatchConfig(queue_jobs=2))
    for i in (1, 2):
        submit(batcher, Number(i), soon())
    with pytest.raises(ModelUnavailable, match="queue is full") as refused:
        submit(batcher, Number(3), soon())
    assert refused.value.retry_after_s >= 1


def test_a_deadline_that_cannot_be_met_at_the_pace_seen_is_refused_at_once(gate: Gate) -> None:
    batcher = start(gate)
    batcher.tokens_per_s = 100.0
    submit(batcher, Number(1, tokens=290), soon())
    with pytest.raises(ModelUnavailable, match=r"3\.0 s of work are waiting") as refused:
        submit(batcher, Number(2), time.monotonic() + 2)
    assert refused.value.retry_after_s == pytest.approx(3.0)
    assert not submit(batcher, Number(2), time.monotonic() + 4).done()


def test_a_job_whose_deadline_passed_in_the_queue_is_not_run(gate: Gate) -> None:
    batcher = start(gate)
    late, good = submit(batcher, Number(1), time.monotonic() + 0.01), submit(batcher, Number(2), soon())
    time.sleep(0.02)
    gate.opened.set()
    assert good.result(5) == 4
    with pytest.raises(ModelUnavailable, match="deadline passed"):
        late.result(5)
    assert gate.batches == [[0], [2]]


def test_a_cancelled_job_is_not_run_and_leaves_nothing_pending(gate: Gate) -> None:
    batcher = start(gate)
    gone = submit(batcher, Number(1), soon())
    assert gone.cancel()
    gate.opened.set()
    assert submit(batcher, Number(2), soon()).result(5) == 4
    batcher.close()
    assert gate.batches == [[0], [2]]
    assert batcher.pending_tokens == 0


def test_closing_finishes_what_is_queued_and_refuses_what_comes_later(gate: Gate) -> None:
    batcher = start(gate)
    future = submit(batcher, Number(4), soon())
    gate.opened.set()
    batcher.close()
    assert future.result(0) == 8
    with pytest.raises(ModelUnavailable, match="is stopping"):
        submit(batcher, Number(5), soon())


def test_callers_take_turns_so_that_one_with_many_jobs_delays_the_others_by_one(gate: Gate) -> None:
    batcher = start(gate, BatchConfig(batch_tokens=10))
    many = batcher.submit_many([Number(i) for i in (1, 2, 3)], soon())
    few = [submit(batcher, Number(i), soon()) for i in (7, 8)]
    gate.opened.set()
    assert [future.result(5) for future in [*many, *few]] == [2, 4, 6, 14, 16]
    assert gate.batches == [[0], [1], [7], [8], [2], [3]]


def test_a_deadline_that_turns_can_meet_is_not_refused_for_a_long_job_ahead(gate: Gate) -> None:
    batcher = start(gate)
    batcher.tokens_per_s = 100.0
    batcher.submit_many([Number(i) for i in range(50)], time.monotonic() + 60)
    assert not submit(batcher, Number(2), time.monotonic() + 2).done()
    with pytest.raises(JobRefused) as refused:
        batcher.submit_many([Number(i) for i in range(50)], time.monotonic() + 2)
    assert refused.value.reason == "deadline unreachable"


def test_jobs_are_queued_together_or_not_at_all(gate: Gate) -> None:
    batcher = start(gate, BatchConfig(queue_jobs=3))
    with pytest.raises(JobRefused, match="queue is full"):
        batcher.submit_many([Number(i) for i in range(4)], soon())
    assert batcher.pending_tokens == 10
    gate.opened.set()
    assert [future.result(5) for future in batcher.submit_many([Number(1), Number(2)], soon())] == [2, 4]


def test_waiting_tokens_are_bounded_but_one_request_always_has_room(gate: Gate) -> None:
    gate.opened.set()
    batcher: Batcher[Number, int] = Batcher(gate.run, BatchConfig(queue_tokens=50))
    assert submit(batcher, Number(1, tokens=80), soon()).result(5) == 2
    gate.opened.clear()
    gate.entered.clear()
    eventually(lambda: batcher.pending_tokens, wanted=0)
    submit(batcher, Number(1, tokens=40), soon())
    assert gate.entered.wait(5)
    submit(batcher, Number(2, tokens=10), soon())
    with pytest.raises(JobRefused) as refused:
        submit(batcher, Number(3, tokens=1), soon())
    assert refused.value.reason == "queue full"


def test_every_batch_tells_what_it_held(gate: Gate) -> None:
    batcher = start(gate, BatchConfig(batch_jobs=2))
    runs: list[BatchRun] = []
    batcher.on_batch = runs.append
    futures = [submit(batcher, Number(i, tokens=i), soon()) for i in (1, 2, 3)]
    gate.opened.set()
    for future in futures:
        future.result(5)
    batcher.close()
    assert [(run.tokens, len(run.waited_s)) for run in runs] == [(10, 1), (3, 2), (3, 1)]
    assert all(run.took_s >= 0 and min(run.waited_s) >= 0 for run in runs)


@pytest.mark.parametrize("limit", ["batch_tokens", "batch_jobs", "queue_jobs", "queue_tokens"])
def test_a_limit_that_allows_nothing_is_refused_by_its_name(limit: str) -> None:
    with pytest.raises(ConfigError, match=limit):
        build(BatchConfig, {}, **{limit: 0})
