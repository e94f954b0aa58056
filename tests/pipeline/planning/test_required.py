"""What a trace requires is the fullest span of time, as trying every span finds it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.planning.offers import Demand
from pipeline.planning.required import Arrival, required_rates, unshaped_rate, with_means
from schemas.errors import ConfigError

ONLINE, NEARLINE, REFRESH = (
    Demand(name="online", bound_ms=500),
    Demand(name="nearline", bound_ms=10_000),
    Demand(name="refresh"),
)
BOUNDS_S = {"online": 0.5, "nearline": 10.0}


def by_trying(arrivals: list[Arrival], names: tuple[str, ...]) -> float:
    """The most items a second of any span from an arrival to a moment at which items are due."""
    spans = [(one.at_s, other.at_s + BOUNDS_S[other.traffic]) for one in arrivals for other in arrivals]
    taken = [one for one in arrivals if one.traffic in names]
    return max(
        (
            sum(i.items for i in taken if i.at_s >= begin and i.at_s + BOUNDS_S[i.traffic] <= end)
            / (end - begin)
            for begin, end in spans
            if end > begin
        ),
        default=0.0,
    )


@given(
    st.lists(
        st.tuples(st.integers(0, 200), st.sampled_from(["online", "nearline"]), st.integers(1, 50)),
        min_size=2,
        max_size=12,
    )
)
def test_the_rates_are_those_of_the_fullest_spans(rows: list[tuple[int, str, int]]) -> None:
    arrivals = [Arrival(at / 8, name, items) for at, name, items in sorted(rows)]
    if arrivals[0].at_s == arrivals[-1].at_s:
        return
    found = required_rates(arrivals, [NEARLINE, ONLINE])
    assert found == pytest.approx(
        [by_trying(arrivals, ("online",)), by_trying(arrivals, ("online", "nearline"))]
    )


def test_a_burst_that_may_wait_requires_less_than_one_that_may_not() -> None:
    steady = [Arrival(float(second), "online", 10) for second in range(100)]
    arrivals = sorted([*steady, Arrival(50.0, "nearline", 1000)])
    online, both = required_rates(arrivals, [ONLINE, NEARLINE])
    assert online == pytest.approx(20.0), "10 items within half a second"
    assert both == pytest.approx((1000 + 10 * 10) / 10.0), "and in ten seconds a thousand more"
    assert unshaped_rate(arrivals, [ONLINE, NEARLINE]) == pytest.approx(1010 / 0.5)


def test_a_class_without_a_bound_requires_the_mean_of_the_whole_trace() -> None:
    arrivals = [Arrival(0.0, "refresh", 900), Arrival(5.0, "online", 10), Arrival(10.0, "online", 90)]
    assert required_rates(arrivals, [ONLINE, REFRESH]) == [180.0, 180.0]
    assert required_rates([*arrivals, Arrival(10.0, "refresh", 2000)], [ONLINE, REFRESH])[1] == 300.0


def test_the_means_are_the_items_over_the_length_of_the_trace() -> None:
    arrivals = [Arrival(10.0, "online", 30), Arrival(20.0, "online", 30)]
    assert with_means([ONLINE, REFRESH], arrivals) == [
        replace(ONLINE, items_per_s=6.0),
        replace(REFRESH, items_per_s=0.0),
    ]


def test_a_trace_of_an_unknown_class_or_without_a_length_is_refused() -> None:
    with pytest.raises(ConfigError, match="requests of class 'nearline'"):
        required_rates([Arrival(0.0, "nearline", 1), Arrival(1.0, "online", 1)], [ONLINE])
    for short in ([], [Arrival(1.0, "online", 1)], [Arrival(1.0, "online", 1)] * 2):
        with pytest.raises(ConfigError, match="no length"):
            required_rates(short, [ONLINE])
