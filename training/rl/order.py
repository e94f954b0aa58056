"""Which postings are in which step: a pure function of the seed, so that a resumed run reads the same ones."""

from __future__ import annotations

from functools import lru_cache
from random import Random


def step_postings(seed: int, count: int, step: int, postings: int) -> list[int]:
    """Positions of the postings of step `step`, counted from 0: each of `count` once an epoch, in random order."""
    places = range(step * postings, (step + 1) * postings)
    return [_epoch(seed, count, place // count)[place % count] for place in places]


@lru_cache(maxsize=4)
def _epoch(seed: int, count: int, epoch: int) -> tuple[int, ...]:
    return tuple(Random(f"rl {seed} {epoch}").sample(range(count), count))
