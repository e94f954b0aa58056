"""Arrivals that a seed makes: the k-LPM paper's pattern, and one with heavy tails."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from models.engine.scheduling.member import packed

SYSTEM = 20
"""Tokens that all prompts begin with."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request: when it comes, the prefix that it may share, and how many tokens it has behind that."""

    at_s: float
    prefix: bytes
    own: int
    cold: bool = False
    """Whether no other request has its prefix."""

    @property
    def tokens(self) -> int:
        """All its tokens."""
        return len(self.prefix) // 4 + self.own


COLD, COLD_TOKENS = 0.04, 2_000
"""Share of the heavy trace's requests that share nothing, and the tokens of their prefix."""
Trace = Callable[[int, int, float], list[Arrival]]
"""Makes so many requests of a seed, whose tokens without any sharing come at so many a second."""


def regular(seed: int, requests: int, tokens_per_s: float) -> list[Arrival]:
    """Return the pattern of the k-LPM paper (arXiv 2502.04677): a tree of height two, shuffled, at regular times.

    Sixteen requests have each prefix of 600 tokens and 200 tokens of their own; their order is random.
    """
    draw = random.Random(seed)
    numbers = [n // 16 for n in range(requests)]
    draw.shuffle(numbers)
    gap_s = 800 / tokens_per_s
    return [Arrival(n * gap_s, _prefix(number, 600), 200) for n, number in enumerate(numbers)]


def heavy(seed: int, requests: int, tokens_per_s: float) -> list[Arrival]:
    """Return requests of unequal queries in bursts, and among them long ones that share nothing, one in 25.

    One of 400 queries (Zipf) has a lognormal prefix (median 150 tokens, at most 1,500); what follows is Pareto (shape
    1.5, 60 to 4,000 tokens). Bursts bring 10 to 1,000 requests (Pareto, shape 1.1) at six times the rate of the rest,
    and as many come between two of them on average.
    """
    draw = random.Random(seed)
    lengths = [int(min(1_500, max(20, draw.lognormvariate(5.0, 0.8)))) for _ in range(400)]
    weights = list(accumulate(1 / (rank + 1) for rank in range(len(lengths))))
    numbers = draw.choices(range(len(lengths)), cum_weights=weights, k=requests)
    shapes = [_shape(draw, n, number, lengths[number]) for n, number in enumerate(numbers)]
    gaps = list(_gaps(draw, requests))
    scale = sum(len(prefix) // 4 + own for prefix, own, _ in shapes) / tokens_per_s / sum(gaps)
    times = accumulate(gap * scale for gap in gaps)
    return [Arrival(at_s, *shape) for at_s, shape in zip(times, shapes, strict=True)]


def _shape(draw: random.Random, n: int, number: int, length: int) -> tuple[bytes, int, bool]:
    cold = draw.random() < COLD
    prefix = _prefix(10**6 + n, COLD_TOKENS) if cold else _prefix(number, length)
    return prefix, int(min(4_000, 60 * draw.paretovariate(1.5))), cold


def _gaps(draw: random.Random, requests: int) -> Iterator[float]:
    """Yield the time before each request; calm and burst take turns."""
    rate, left = 1.0, 0
    for _ in range(requests):
        if not left:
            rate = 7.0 - rate
            left = int(min(1_000, 10 * draw.paretovariate(1.1)))
        left -= 1
        yield draw.expovariate(rate)


def _prefix(number: int, tokens: int) -> bytes:
    """Return the ids of a prefix: the system's words, then the query's."""
    return packed([7] * min(SYSTEM, tokens) + [1_000 + number] * (tokens - SYSTEM))


TRACES: dict[str, Trace] = {"regular": regular, "heavy": heavy}
LOADS = {"regular": 1.6, "heavy": 1.0}
"""How fast a trace's tokens come, in those that the server computes, if it shared nothing."""
