"""Percentiles and averages of the recent past."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.control.recent import RecentLatencies, TimeAverage


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 100)), min_size=1, max_size=80))
def test_the_percentile_is_that_of_the_window(seen: list[tuple[float, float]]) -> None:
    recent, now, all_of = RecentLatencies(5.0, most=20), 0.0, []
    for pause_s, latency_s in seen:
        now += pause_s
        recent.observe(now, latency_s)
        all_of.append((now, latency_s))
    kept = sorted(latency_s for at, latency_s in all_of[-20:] if at >= now - 5.0)
    assert recent.percentile(now) == kept[min(len(kept) - 1, int(0.95 * len(kept)))]
    assert recent.percentile(now + 6.0) is None


@pytest.mark.parametrize("bad", [nan, inf, -1.0])
def test_a_latency_that_cannot_be_is_counted_only(bad: float) -> None:
    recent = RecentLatencies(5.0)
    recent.observe(0.0, bad)
    assert (recent.percentile(0.0), recent.ignored) == (None, 1)


def test_the_average_follows_the_value() -> None:
    average = TimeAverage(2.0)
    average.set(0.0, 1.0)
    assert average.average(0.0) == 0.0
    assert average.average(2.0) == pytest.approx(0.632, abs=0.001)
    assert average.average(1.0) == average.average(2.0)
    assert average.average(100.0) == pytest.approx(1.0)
