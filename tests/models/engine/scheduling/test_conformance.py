"""What holds of the waiting queue under every policy."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.engine.scheduling.choosing import POLICIES
from models.engine.scheduling.density import Density
from models.engine.scheduling.member import Request
from models.engine.scheduling.policies import AgedLpm, KLpm, Policy
from tests.models.engine.scheduling.scripts import SCRIPTS, Come, Driven, TakeBatch, Withdraw

Script = list[Come | Withdraw | TakeBatch]
NEVER = 10**6
every_policy = pytest.mark.parametrize("new_policy", POLICIES.values(), ids=list(POLICIES))
any_cache = pytest.mark.parametrize("cache_tokens", [0, 5])


@every_policy
@any_cache
@settings(max_examples=40)
@given(script=SCRIPTS)
def test_every_request_leaves_exactly_once(
    new_policy: Callable[[], Policy], cache_tokens: int, script: Script
) -> None:
    driven = Driven(new_policy, cache_tokens)
    driven.play(script)
    assert len(driven.queue) == len(driven.entered) - len(driven.left())
    driven.empty()
    assert sorted(map(id, driven.left())) == sorted(map(id, driven.entered))


@every_policy
@settings(max_examples=40)
@given(script=SCRIPTS)
def test_a_batch_keeps_its_bounds_and_counts_a_shared_prefix_once(
    new_policy: Callable[[], Policy], script: Script
) -> None:
    driven = Driven(new_policy)
    driven.play(script)
    asked = [step for step in script if isinstance(step, TakeBatch)]
    for step, batch in zip(asked, driven.batches, strict=True):
        places = {one.prefix[:end] for one in batch.requests for end in range(4, len(one.prefix) + 4, 4)}
        assert batch.computed_tokens == len(places) + sum(one.own for one in batch.requests)
        assert len(batch.requests) <= step.requests
        assert len(batch.requests) == 1 or batch.computed_tokens <= step.tokens
    assert driven.queue.clock == sum(batch.computed_tokens for batch in driven.batches)


@every_policy
@settings(max_examples=40)
@given(script=SCRIPTS)
def test_nothing_is_computed_after_its_deadline_and_nothing_expires_before(
    new_policy: Callable[[], Policy], script: Script
) -> None:
    driven = Driven(new_policy)
    for step in script:
        driven.play([step])
        if isinstance(step, TakeBatch):
            assert all(one.deadline >= driven.now for one in driven.batches[-1].requests)
            assert all(one.deadline < driven.now for one in driven.batches[-1].expired)


@every_policy
@settings(max_examples=40)
@given(script=SCRIPTS)
def test_a_batch_holds_a_lower_priority_only_if_no_higher_one_is_left(
    new_policy: Callable[[], Policy], script: Script
) -> None:
    driven = Driven(new_policy)
    for step in script:
        driven.play([step])
        if isinstance(step, TakeBatch) and driven.batches[-1].requests:
            priorities = [one.caller.priority for one in driven.batches[-1].requests]
            assert priorities == sorted(priorities, reverse=True)
            waiting = [caller.priority for caller in driven.callers if caller.waiting]
            assert max(waiting, default=priorities[-1]) <= priorities[-1]


@every_policy
@settings(max_examples=40)
@given(script=SCRIPTS)
def test_a_caller_has_a_second_request_in_a_batch_only_if_all_others_have_one(
    new_policy: Callable[[], Policy], script: Script
) -> None:
    driven = Driven(new_policy)
    for step in script:
        stood = {id(caller) for caller in driven.callers if caller.waiting}
        driven.play([step])
        if isinstance(step, TakeBatch):
            check_turns(driven.batches[-1].requests, stood, driven)


def check_turns(taken: list[Request], stood: set[int], driven: Driven) -> None:
    counts: dict[int, int] = {}
    for one in taken:
        counts[id(one.caller)] = counts.get(id(one.caller), 0) + 1
    for caller in driven.callers:
        alike = [counts[id(one.caller)] for one in taken if one.caller.priority == caller.priority]
        if id(caller) in stood and caller.waiting and alike:
            assert counts.get(id(caller), 0) >= max(alike) - 1


@every_policy
def test_withdrawn_requests_are_not_handed_out_and_a_second_withdrawal_returns_nothing(
    new_policy: Callable[[], Policy],
) -> None:
    driven = Driven(new_policy)
    gone = driven.come([([1, 2], 3, NEVER), ([1, 2], 3, NEVER)])
    kept = driven.come([([1, 2], 3, NEVER)])
    assert driven.queue.withdraw(driven.callers[0]) == gone
    assert driven.queue.withdraw(driven.callers[0]) == []
    assert driven.take(100, 100).requests == kept
    assert driven.queue.withdraw(driven.callers[1]) == []


@pytest.mark.parametrize("turns", [1, 3, 7])
@pytest.mark.parametrize(
    "policy", [lambda turns: KLpm(k=turns), lambda turns: Density(turns=turns)], ids=["k-lpm", "density"]
)
@settings(max_examples=40)
@given(script=SCRIPTS)
def test_a_request_waits_for_at_most_so_many_times_as_were_older(
    policy: Callable[[int], Policy], turns: int, script: Script
) -> None:
    """Each request of a caller of its own, one a batch, of one priority, without deadlines."""
    driven = Driven(lambda: policy(turns))
    bounds: dict[int, int] = {}
    taken = 0
    for step in script:
        if isinstance(step, Come):
            for prefix, own, _ in step.requests:
                (request,) = driven.come([(prefix, own, NEVER)])
                bounds[id(request)] = taken + turns * len(driven.queue)
        elif isinstance(step, TakeBatch) and len(driven.queue):
            (request,) = driven.take(1, 1).requests
            taken += 1
            assert taken <= bounds[id(request)]


@settings(max_examples=40)
@given(script=SCRIPTS, weight=st.integers(1, 20))
def test_under_aged_lpm_only_what_came_soon_after_can_go_first(script: Script, weight: int) -> None:
    """At most `weight` x the longest prefix tokens of the clock later."""
    driven = Driven(lambda: AgedLpm(weight))
    driven.play([step for step in script if not isinstance(step, Withdraw)])
    driven.empty()
    order = [one for batch in driven.batches for one in batch.requests]
    for place, later in enumerate(order):
        for earlier in order[:place]:
            if earlier.caller.priority == later.caller.priority and len(later.caller.waiting) == 0:
                assert earlier.arrived <= later.arrived + weight * 4 or earlier.order < later.order


@every_policy
def test_priorities_count_upwards(new_policy: Callable[[], Policy]) -> None:
    """Higher is sooner, as everywhere in the server."""
    driven = Driven(new_policy)
    for priority in (0, -3, 5):
        driven.come([([1], 1, NEVER)], priority)
    assert [driven.take(1, 1).requests[0].caller.priority for _ in range(3)] == [5, 0, -3]
