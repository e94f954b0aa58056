import math
import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.simulation.arrivals import Bursts, Diurnal, Rate, Steady, times
from schemas.errors import ConfigError

RATES = st.floats(0.1, 50.0)
KINDS = st.one_of(
    RATES.map(Steady),
    st.builds(Diurnal, per_s=RATES, swing=st.floats(0.0, 1.0), period_s=st.floats(1.0, 500.0)),
    st.builds(
        Bursts,
        per_s=RATES,
        factor=st.floats(0.1, 10.0),
        length_s=st.floats(0.1, 10.0),
        first_s=st.floats(0.0, 50.0),
        every_s=st.floats(10.0, 100.0),
    ),
)


def expected(rate: Rate, seconds: float) -> float:
    """The integral of a rate."""
    steps = 20_000
    return sum(rate.at((n + 0.5) * seconds / steps) for n in range(steps)) * seconds / steps


@settings(deadline=None, max_examples=40)
@given(rate=KINDS, seed=st.integers(0, 2**32))
def test_arrivals_are_in_order_within_the_time_and_as_many_as_the_rate_says(rate: Rate, seed: int) -> None:
    found = list(times(rate, 100.0, random.Random(seed)))
    assert all(before < after for before, after in pairwise(found))
    assert all(0 < at < 100.0 for at in found)
    # six standard deviations of a Poisson count
    wanted = expected(rate, 100.0)
    assert abs(len(found) - wanted) <= 6 * math.sqrt(wanted) + 3


@settings(deadline=None, max_examples=30)
@given(rate=KINDS, t=st.floats(0.0, 1e5))
def test_no_rate_is_above_its_highest(rate: Rate, t: float) -> None:
    assert 0 <= rate.at(t) <= rate.most * (1 + 1e-12)


def test_gaps_of_a_steady_rate_are_exponential() -> None:
    found = list(times(Steady(10.0), 2_000.0, random.Random(7)))
    gaps = [after - before for before, after in pairwise(found)]
    mean = sum(gaps) / len(gaps)
    deviation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    assert mean == pytest.approx(0.1, rel=0.03)
    assert deviation == pytest.approx(mean, rel=0.03)


def test_bursts_are_where_they_were_asked_for() -> None:
    rate = Bursts(per_s=2.0, factor=5.0, length_s=3.0, first_s=10.0, every_s=20.0)
    assert [rate.at(t) for t in (0.0, 9.9, 10.0, 12.9, 13.0, 30.0, 33.1)] == [2, 2, 10, 10, 2, 10, 2]


@pytest.mark.parametrize("per_s", [0.0, -1.0, math.nan, math.inf])
def test_a_rate_that_cannot_be_is_refused_by_its_name(per_s: float) -> None:
    for make in (Steady, lambda per_s: Diurnal(per_s=per_s), lambda per_s: Bursts(per_s=per_s)):
        with pytest.raises(ConfigError, match="give a finite number above 0"):
            make(per_s)


def test_bursts_that_overlap_are_refused() -> None:
    with pytest.raises(ConfigError, match="give a longer interval"):
        Bursts(per_s=1.0, length_s=30.0, every_s=20.0)
