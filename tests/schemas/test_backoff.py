import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.backoff import Backoff


@pytest.mark.parametrize(
    ("backoff", "waits"),
    [
        (Backoff(first_s=1.0, longest_s=60.0), [1, 2, 4, 8, 16, 32, 60, 60]),
        (Backoff(first_s=0.5, longest_s=0.5), [0.5, 0.5]),
        (Backoff(first_s=2.0, longest_s=1.0), [1.0, 1.0]),
        (Backoff(first_s=0.0, longest_s=1.0), [0.0, 0.0]),
    ],
)
def test_waits_double_from_the_first_to_the_longest(backoff: Backoff, waits: list[float]) -> None:
    assert [backoff.wait_s(failures) for failures in range(1, len(waits) + 1)] == waits


@given(first_s=st.floats(0.001, 10.0), longest_s=st.floats(0.001, 1e6), failures=st.integers(1, 10**9))
def test_after_any_number_of_failures_a_wait_is_between_the_first_and_the_longest(
    first_s: float, longest_s: float, failures: int
) -> None:
    wait_s = Backoff(first_s=first_s, longest_s=longest_s).wait_s(failures)
    assert min(first_s, longest_s) <= wait_s <= longest_s


def test_after_an_hour_of_failures_every_second_the_wait_is_the_longest() -> None:
    assert Backoff(first_s=1.0, longest_s=600.0).wait_s(3_600) == 600.0
