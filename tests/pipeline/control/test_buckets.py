"""A token bucket passes its rate and its burst, and nothing else."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.control.buckets import TokenBucket
from schemas.errors import ConfigError


@given(
    st.floats(0.1, 100),
    st.floats(1, 50),
    st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 80)), max_size=60),
)
def test_what_passes_is_at_most_rate_and_burst_and_one_large_piece(
    rate: float, burst: float, asked: list[tuple[float, float]]
) -> None:
    bucket, now, passed, largest = TokenBucket(rate, burst), 0.0, 0.0, 0.0
    for pause_s, cost in asked:
        now += pause_s
        if bucket.has(now, cost):
            bucket.take(now, cost)
            passed += cost
            largest = max(largest, cost)
        assert passed <= rate * now + burst + largest + 1e-6


@given(st.floats(0.1, 100), st.floats(1, 50), st.floats(0.1, 80), st.floats(0, 200))
def test_after_the_wait_that_it_names_the_work_may_begin(
    rate: float, burst: float, cost: float, owed: float
) -> None:
    bucket = TokenBucket(rate, burst)
    bucket.take(0.0, owed)
    wait_s = bucket.wait_s(0.0, cost)
    assert bucket.has(0.0, cost) == (wait_s == 0)
    assert bucket.has(wait_s * (1 + 1e-9) + 1e-9, cost)


@pytest.mark.parametrize("bad", [0.0, -1.0, nan, inf])
@pytest.mark.parametrize("setting", ["rate_per_s", "burst"])
def test_a_bucket_that_never_fills_is_refused(setting: str, bad: float) -> None:
    with pytest.raises(ConfigError, match=setting):
        TokenBucket(**{"rate_per_s": 1.0, "burst": 1.0} | {setting: bad})


def test_a_clock_that_steps_back_takes_no_tokens() -> None:
    bucket = TokenBucket(1.0, 10.0)
    bucket.take(100.0, 10.0)
    assert bucket.level(50.0) == bucket.level(nan) == 0.0
    assert bucket.level(105.0) == 5.0
