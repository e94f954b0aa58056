"""Open loop: times at which requests arrive, and the search for the highest rate that keeps a bound; pure functions."""

from __future__ import annotations

import random
from collections.abc import Callable


def arrivals(rate: float, duration_s: float, seed: str) -> list[float]:
    """Times of arrival in seconds, from 0 to `duration_s`: a Poisson process of `rate` a second."""
    source = random.Random(seed)
    moments: list[float] = []
    at = source.expovariate(rate)
    while at < duration_s:
        moments.append(at)
        at += source.expovariate(rate)
    return moments


def highest(holds: Callable[[float], bool], start: float, *, steps: int) -> float:
    """The highest rate for which `holds` was true.

    The rate is doubled or halved from `start` until it is bracketed, and the bracket is halved `steps` times. The
    result is 0 when no rate down to `start / 64` holds.
    """
    low, high = 0.0, start
    while holds(high):
        low, high = high, 2 * high
    while not low and high > start / 64:
        middle = high / 2
        low, high = (middle, high) if holds(middle) else (0.0, middle)
    for _ in range(steps if low else 0):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
