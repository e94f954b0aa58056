"""`outlast` waits for the end of an outage, and raises every other error at once."""

from collections.abc import Callable

import pytest

from pipeline.outages import outlast
from schemas.errors import (
    BrokersUnavailable,
    ConfigError,
    ModelRejected,
    ModelUnavailable,
    NearlineError,
    RegistryUnavailable,
    StoreFull,
    StoreUnavailable,
    ValueTooLarge,
)


def failing(times: int, error: Exception) -> Callable[[], str]:
    left = [error] * times

    def action() -> str:
        if left:
            raise left.pop()
        return "done"

    return action


@pytest.mark.parametrize(
    "outage", [BrokersUnavailable, ModelUnavailable, RegistryUnavailable, StoreFull, StoreUnavailable]
)
def test_an_outage_is_waited_out_with_growing_pauses_up_to_a_bound(outage: type[NearlineError]) -> None:
    pauses: list[float] = []
    action = failing(8, outage("down"))
    assert outlast(action, max_backoff_s=60, sleep=pauses.append, spread=lambda: 1.0) == "done"
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


def test_an_outage_longer_than_the_patience_is_raised() -> None:
    pauses: list[float] = []
    with pytest.raises(StoreUnavailable, match="down"):
        outlast(
            failing(99, StoreUnavailable("down")),
            max_backoff_s=60,
            patience_s=7.0,
            sleep=pauses.append,
            spread=lambda: 1.0,
        )
    assert pauses == [1, 2, 4]


def test_pauses_are_spread_below_the_bound() -> None:
    pauses: list[float] = []
    outlast(failing(20, StoreFull("full")), max_backoff_s=2.0, sleep=pauses.append)
    assert len(set(pauses)) > 10
    assert max(pauses) <= 2.0


@pytest.mark.parametrize(
    "error", [ModelRejected("no"), ValueTooLarge("big"), ConfigError("bad"), KeyError("bug")], ids=repr
)
def test_what_waiting_cannot_cure_is_raised_at_once(error: Exception) -> None:
    pauses: list[float] = []
    with pytest.raises(type(error)):
        outlast(failing(1, error), max_backoff_s=60, sleep=pauses.append)
    assert pauses == []
