import pytest

from benchmarks.common.figures import percentile, rate, slope, spread


def test_the_95th_percentile_of_a_hundred_values_is_the_96th_of_them() -> None:
    assert percentile(list(range(100, 0, -1)), 0.95) == 96


def test_a_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_a_spread_holds_median_lowest_and_highest() -> None:
    assert spread([3.0, 1.0, 8.0]) == {"median": 3.0, "low": 1.0, "high": 8.0}


def test_a_rate_counts_the_intervals_between_records() -> None:
    assert rate(1001, 5_000, 6_000) == 1000.0


def test_a_rate_without_time_is_refused() -> None:
    with pytest.raises(ValueError, match="within a millisecond"):
        rate(10, 7, 7)


def test_a_slope_is_the_growth_for_one_step() -> None:
    assert slope([0.0, 1.0, 2.0], [10.0, 12.0, 14.0]) == pytest.approx(2.0)
