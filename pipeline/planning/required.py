"""How much throughput a trace of requests requires, with work that may wait and, beside it, with none that may.

Every item of a class has to be scored within the class's bound. A system that always works on what is due first keeps
all bounds exactly if no span of time holds more work than it can do: for every a < b, the items that arrive from a on
and are due by b are at most the throughput times b - a (the processor demand of Baruah, Rosier and Howell, 1990).
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from math import isinf
from typing import NamedTuple

from pipeline.planning.offers import Demand
from schemas.errors import ConfigError


class Arrival(NamedTuple):
    """Items that one request asks for, and when, in seconds from any moment on."""

    at_s: float
    traffic: str
    items: int


_Event = tuple[float, bool, int]
"""When something happens, whether items are due then (else they arrive), and how many."""


class _Span(NamedTuple):
    """The span of time that is the fullest at some throughput."""

    seconds: float
    items: float


def required_rates(arrivals: Sequence[Arrival], demands: Sequence[Demand]) -> list[float]:
    """Items a second that each class and all stricter ones require together, strictest first.

    A class without a bound is done by the trace's end: it needs what all classes ask for on average. Arrivals are in
    order of time. ConfigError for a class that is not described, and for a trace without a length.
    """
    ordered = sorted(demands, key=lambda one: one.bound_ms)
    _check(arrivals, ordered)
    found: list[float] = []
    for level in range(len(ordered)):
        found.append(max(chain(found, [_required(arrivals, ordered[: level + 1])])))
    return found


def unshaped_rate(arrivals: Sequence[Arrival], demands: Sequence[Demand]) -> float:
    """Items a second that the trace requires when every class has to keep the strictest bound: nothing is deferred."""
    bound_ms = min(one.bound_ms for one in demands)
    return required_rates(arrivals, [replace(one, bound_ms=bound_ms) for one in demands])[-1]


def _required(arrivals: Sequence[Arrival], classes: Sequence[Demand]) -> float:
    """What these classes require together, apart from what stricter ones alone require."""
    wanted = {one.name: one.bound_ms / 1000 for one in classes}
    taken = [one for one in arrivals if one.traffic in wanted]
    if all(one.traffic != classes[-1].name for one in taken):
        return 0.0  # the loosest of them adds nothing
    if isinf(classes[-1].bound_ms):
        return sum(one.items for one in taken) / _length_s(arrivals)
    return _fullest(taken, wanted)


def _fullest(arrivals: Sequence[Arrival], bounds_s: dict[str, float]) -> float:
    """The most items a second of any span (Dinkelbach's method: each round finds a fuller span than the last)."""
    rate, events = 0.0, _events(arrivals, bounds_s)
    while True:
        span = _over(events, rate)
        if span is None or span.items / span.seconds <= rate * (1 + 1e-12):
            return rate
        rate = span.items / span.seconds


def _over(events: Sequence[_Event], rate: float) -> _Span | None:
    """The span whose items exceed by the most what `rate` does in it; None if none exceeds it.

    Counts the items that are due by the span's end less those that came before its beginning. That is too few where
    something came earlier and is due later; then the span holds no item of that class, and the stricter classes alone,
    which are looked at by themselves, have the same items.
    """
    best: _Span | None = None
    most, came, due = 0.0, 0, 0
    lowest, begin = float("inf"), 0.0
    for at_s, is_due, items in events:
        if is_due:
            due += items
            over = due - rate * at_s - lowest
            if over > most:
                most, best = over, _Span(at_s - begin, due - (lowest + rate * begin))
        else:
            if came - rate * at_s < lowest:
                lowest, begin = came - rate * at_s, at_s
            came += items
    return best


def _events(arrivals: Sequence[Arrival], bounds_s: dict[str, float]) -> list[_Event]:
    """Arrivals and due times in order of time; at one moment arrivals first."""
    came = ((one.at_s, False, one.items) for one in arrivals)
    due = ((one.at_s + bounds_s[one.traffic], True, one.items) for one in arrivals)
    return sorted(chain(came, due))


def with_means(demands: Sequence[Demand], arrivals: Sequence[Arrival]) -> list[Demand]:
    """The classes with the items a second that a trace asks for on average."""
    length_s = _length_s(arrivals)
    return [
        replace(one, items_per_s=sum(item.items for item in arrivals if item.traffic == one.name) / length_s)
        for one in demands
    ]


def _length_s(arrivals: Sequence[Arrival]) -> float:
    return arrivals[-1].at_s - arrivals[0].at_s


def _check(arrivals: Sequence[Arrival], ordered: Sequence[Demand]) -> None:
    known = {one.name for one in ordered}
    if strange := next((one.traffic for one in arrivals if one.traffic not in known), None):
        raise ConfigError(
            f"the trace has requests of class {strange!r}: describe it, [[class]] with name and bound_ms"
        )
    if len(arrivals) < 2 or _length_s(arrivals) <= 0:
        raise ConfigError("the trace has no length: it needs two requests at different times")
