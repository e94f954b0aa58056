import itertools
import statistics

import pytest

from benchmarks.engine.rates import arrivals, highest


@pytest.mark.parametrize("limit", [0.7, 3.0, 8.0, 100.0, 1e4])
def test_the_search_ends_just_below_the_rate_that_fails(limit: float) -> None:
    tried: list[float] = []

    def holds(rate: float) -> bool:
        tried.append(rate)
        return rate <= limit

    found = highest(holds, 8.0, steps=5)
    assert limit * (1 - 2**-5) <= found <= limit
    assert found in tried


def test_a_server_that_never_holds_has_the_rate_zero_after_a_bounded_search() -> None:
    tried: list[float] = []

    def never(rate: float) -> bool:
        tried.append(rate)
        return False

    assert highest(never, 8.0, steps=5) == 0.0
    assert len(tried) == 7


def test_arrivals_come_in_order_within_the_duration_and_the_same_for_a_seed() -> None:
    moments = arrivals(50.0, 10.0, "a")
    assert moments == sorted(moments) == arrivals(50.0, 10.0, "a") != arrivals(50.0, 10.0, "b")
    assert 0 < moments[0] < moments[-1] < 10


def test_gaps_are_a_poisson_process_of_the_rate() -> None:
    moments = arrivals(100.0, 200.0, "a")
    gaps = [after - before for before, after in itertools.pairwise(moments)]
    assert len(moments) == pytest.approx(20_000, rel=0.03)
    assert statistics.stdev(gaps) == pytest.approx(statistics.mean(gaps), rel=0.03)
