import math

import pytest

from pipeline.simulation.clock import Agenda, VirtualClock
from schemas.errors import ConfigError


def test_the_clock_stands_where_it_was_put() -> None:
    clock = VirtualClock()
    clock.advance(2.5)
    assert clock() == clock.now == 2.5


@pytest.mark.parametrize("to", [1.0, -1.0, math.nan, math.inf])
def test_a_clock_that_steps_back_or_to_no_time_is_refused(to: float) -> None:
    clock = VirtualClock(2.0)
    with pytest.raises(ConfigError, match=r"stands at 2.0 s and cannot go to"):
        clock.advance(to)


def test_events_happen_in_the_order_of_their_times_and_of_one_time_in_the_order_of_adding() -> None:
    agenda, seen = Agenda(VirtualClock()), list[object]()
    for at, what in ((3.0, "c"), (1.0, "a"), (1.0, "b"), (9.0, "d")):
        agenda.add(at, seen.append, what)
    agenda.run_until(3.0)
    assert seen == ["a", "b", "c"]
    assert agenda.clock.now == 3.0


def test_an_event_may_add_another_one_that_still_happens() -> None:
    agenda, seen = Agenda(VirtualClock()), list[float]()
    agenda.add(1.0, lambda _: agenda.add(2.0, lambda _: seen.append(agenda.clock.now)))
    agenda.run_out()
    assert seen == [2.0]


@pytest.mark.parametrize("at", [4.0, math.nan, math.inf])
def test_an_event_in_the_past_or_at_no_time_is_refused(at: float) -> None:
    with pytest.raises(ConfigError, match="cannot be added"):
        Agenda(VirtualClock(5.0)).add(at, print)
