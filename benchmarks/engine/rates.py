"""Open loop: when requests arrive, and the search for the highest rate that keeps a bound; all pure."""

from __future__ import annotations

import random
from collections.abc import Callable


def arrivals(rate: float, duration_s: float, seed: str) -> list[float]:
    """Moments in seconds of a Poisson process of `rate` a second, from 0 up to `duration_s`."""
    source = random.Random(seed)
    moments: list[float] = []
    at = source.expovariate(rate)
    while at < duration_s:
        moments.append(at)
        at += source.expovariate(rate)
    return moments


def highest(holds: Callable[[float], bool], start: float, *, steps: int) -> float:
    """The highest rate seen to hold: doubled or halved from `start` until it is bracketed, then halved `steps` times.

    Halving gives up at `start / 64`: the answer is then 0.
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
