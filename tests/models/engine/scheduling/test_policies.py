"""What each policy prefers."""

from models.engine.scheduling.density import Density
from models.engine.scheduling.member import Request
from models.engine.scheduling.policies import AgedLpm, Fcfs, KLpm, Lpm, Policy
from models.engine.scheduling.ratio import Hrrn
from tests.models.engine.scheduling.scripts import Driven

NEVER = 10**6
A, B, C = [1, 1, 1, 1], [2, 2, 2, 2], [3, 3, 3, 3]


def order(
    policy: Policy, arrivals: list[tuple[list[int], int]], cache_tokens: int = 0, batch: int = 10**6
) -> list[int]:
    """Numbers of requests, each of a caller of its own, in the order in which they are taken."""
    driven = Driven(lambda: policy, cache_tokens)
    requests = [driven.come([(prefix, own, NEVER)])[0] for prefix, own in arrivals]
    taken = list[Request]()
    while len(driven.queue):
        taken += driven.take(batch, 100).requests
    return [requests.index(one) for one in taken]


MIXED = [(A, 1), (B, 1), (A, 1), (C, 1), (B, 1), (A, 1)]


def test_fcfs_keeps_the_order_of_arrival() -> None:
    assert order(Fcfs(), MIXED) == [0, 1, 2, 3, 4, 5]


def test_lpm_takes_together_what_shares_a_prefix_and_else_the_oldest() -> None:
    assert order(Lpm(), MIXED) == [0, 2, 5, 1, 4, 3]


def test_lpm_prefers_the_longest_of_several_computed_prefixes() -> None:
    assert order(Lpm(), [([1, 2, 3], 1), ([1, 5], 1), ([1, 2, 6], 1), ([1, 2, 3], 1)]) == [0, 3, 2, 1]


def test_k_lpm_takes_the_oldest_at_each_kth_step_and_is_fcfs_for_one() -> None:
    assert order(KLpm(2), MIXED) == [0, 2, 1, 5, 3, 4]
    assert order(KLpm(1), MIXED) == [0, 1, 2, 3, 4, 5]


def test_aged_lpm_takes_an_old_request_before_a_young_one_with_a_computed_prefix() -> None:
    def taken(weight: int) -> list[int]:
        driven = Driven(lambda: AgedLpm(weight), cache_tokens=100)
        names = {id(driven.come([(A, 50, NEVER)])[0]): 0, id(driven.come([(B, 1, NEVER)])[0]): 1}
        first = driven.take(1, 1).requests
        names[id(driven.come([(A, 1, NEVER)])[0])] = 2
        return [names[id(one)] for one in [*first, *driven.take(100, 9).requests]]

    assert taken(weight=10) == [0, 1, 2]
    assert taken(weight=20) == [0, 2, 1]


def test_hrrn_takes_the_longest_wait_for_the_tokens_that_a_request_costs_now() -> None:
    driven = Driven(Hrrn)
    driven.come([(A, 100, NEVER)])
    long, short = (
        driven.come([(prefix, own, NEVER)])[0]
        for prefix, own in (
            (
                B,
                60,
            ),
            (C, 6),
        )
    )
    driven.take(1, 1)
    assert driven.take(1, 1).requests == [short]
    assert driven.take(1, 1).requests == [long]


def test_hrrn_counts_a_computed_prefix_as_nothing() -> None:
    driven = Driven(Hrrn, cache_tokens=100)
    driven.come([([1] * 40, 60, NEVER)])
    cold, warm = (driven.come([(prefix, own, NEVER)])[0] for prefix, own in (([2] * 4, 12), ([1] * 40, 10)))
    driven.take(1, 1)
    assert driven.take(1, 1).requests == [warm]
    assert driven.take(1, 1).requests == [cold]


def test_density_takes_the_prefix_with_the_most_requests_for_its_tokens_and_all_of_it() -> None:
    assert order(Density(), [(C, 9), (A, 9), (B, 2), (B, 2), (A, 9), (B, 2)]) == [2, 3, 5, 1, 4, 0]


def test_density_lets_what_has_waited_longer_go_first() -> None:
    def second(patience: int) -> int:
        driven = Driven(lambda: Density(patience))
        driven.come([(C, 1, NEVER)])
        old = driven.come([(A, 400, NEVER)])[0]
        driven.take(1, 1)
        driven.come([(C, 600, NEVER)])
        driven.queue.withdraw(driven.callers[-1])
        young = driven.come([(B, 100, NEVER)])[0]
        return [old, young].index(driven.take(1, 1).requests[0])

    assert second(patience=1) == 0
    assert second(patience=1000) == 1
