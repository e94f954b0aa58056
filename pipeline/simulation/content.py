"""What requests ask for: queries that are new or were asked before, page after page, with candidates of some length."""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import merge
from itertools import accumulate
from operator import itemgetter
from typing import Annotated, Literal

from pipeline.simulation.arrivals import Rate, times
from pipeline.simulation.traces import Request
from schemas.errors import ConfigError
from schemas.settings import Option
from schemas.traffic import TrafficClass

TAIL, LONGEST = 1.5, 20.0
"""Pareto's exponent of heavy-tailed lengths (the mean exists, the variance does not), and their cut in means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Queries and candidates of made-up requests. ConfigError for a setting that cannot be."""

    new: Annotated[float, Option("Share of the requests whose query was never asked before.")] = 0.2
    queries: Annotated[int, Option("Queries that are asked again and again.", at_least=1)] = 20_000
    zipf: Annotated[float, Option("Exponent of their popularity (Zipf); 0: all alike.")] = 1.0
    paging: Annotated[
        float, Option("Share of those who read a page of a query that also ask for the next one.")
    ] = 0.3
    items: Annotated[int, Option("Candidates of a request.", at_least=1)] = 10
    prefix_tokens: Annotated[
        int, Option("Tokens of the query, which all prompts of a request share.", at_least=0)
    ] = 70
    item_tokens: Annotated[int, Option("Tokens of a candidate beside those, on average.", at_least=1)] = 150
    lengths: Annotated[
        Literal["fixed", "heavy"],
        Option("Lengths of candidates: fixed, or with a heavy tail from request to request."),
    ] = "fixed"

    def __post_init__(self) -> None:
        if not 0 <= self.new <= 1:
            raise ConfigError(f"new is {self.new}: give a share from 0 to 1")
        if not 0 <= self.paging < 1:
            raise ConfigError(f"paging is {self.paging}: give a share of at least 0 and less than 1")
        if not 0 <= self.zipf < 100:
            raise ConfigError(f"zipf is {self.zipf}: give at least 0")


def made_up(
    streams: Mapping[TrafficClass, tuple[Rate, float]], content: Content, seconds: float, seed: int
) -> Iterator[Request]:
    """Yield requests in the order of their arrival; the same arguments give the same requests.

    `streams`: traffic class → its rate, and the seconds after which its answers are late. The classes ask for the same
    queries.
    """
    popular = _Popular(content)
    made = (_stream(traffic, *streams[traffic], content, popular, seconds, seed) for traffic in streams)
    return merge(*made, key=itemgetter(0))


def _stream(
    traffic: TrafficClass,
    rate: Rate,
    deadline_s: float,
    content: Content,
    popular: _Popular,
    seconds: float,
    seed: int,
) -> Iterator[Request]:
    rng, clock = (
        random.Random(f"{seed} {traffic.label} content"),
        random.Random(f"{seed} {traffic.label} arrivals"),
    )
    items, prefix, count = content.items, content.prefix_tokens, 0
    for at in times(rate, seconds, clock):
        query: str | int
        if rng.random() < content.new:
            query, first, count = f"{traffic.label} {count}", 0, count + 1
        else:
            query, first = popular.draw(rng), items * _page(rng, content.paging)
        tokens = content.item_tokens if content.lengths == "fixed" else _heavy(rng, content.item_tokens)
        yield Request(at, traffic, query, range(first, first + items), prefix, tokens, deadline_s)


class _Popular:
    """Numbers of queries, 0 the most popular."""

    def __init__(self, content: Content) -> None:
        self._sums = list(accumulate(1 / rank**content.zipf for rank in range(1, content.queries + 1)))

    def draw(self, rng: random.Random) -> int:
        """Draw a query by its popularity."""
        return bisect(self._sums, rng.random() * self._sums[-1], 0, len(self._sums) - 1)


def _page(rng: random.Random, paging: float) -> int:
    page = 0
    while rng.random() < paging:
        page += 1
    return page


def _heavy(rng: random.Random, mean: float) -> float:
    """A length of Pareto's distribution, at least a third of the mean, cut at LONGEST times the mean."""
    return max(1.0, mean * min(LONGEST, rng.paretovariate(TAIL) * (TAIL - 1) / TAIL))
