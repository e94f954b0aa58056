"""What one training step reads: micro-batches of several pools, each padded on its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from training.tiny.ranker.examples import LabelledPrompt


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowStage:
    """From a share `start` of the run on: windows of text tokens to draw from, and queries a step."""

    start: float
    windows: tuple[int, ...]
    queries: int


class ExamplePool(Protocol):
    """Draws queries with their candidates, cut to a window of text tokens."""

    def batch(self, queries: int, window: int) -> list[LabelledPrompt]:
        """`queries` x CANDIDATES examples, those of one query together."""
        ...


class RenewedPool:
    """A pool that is made anew after so many batches: generated postings are read a few times, then never again."""

    def __init__(self, make: Callable[[], ExamplePool], batches: int) -> None:
        self._make, self._batches, self._drawn = make, batches, 0
        self._pool = make()

    def batch(self, queries: int, window: int) -> list[LabelledPrompt]:
        """See `Pool`."""
        self._drawn += 1
        if self._drawn % self._batches == 0:
            self._pool = self._make()
        return self._pool.batch(queries, window)


class PoolMix:
    """Pools by their share of a step's queries; a share below one query is drawn by chance."""

    def __init__(self, rng: Random, parts: Sequence[tuple[float, ExamplePool]]) -> None:
        self._rng, self._parts = rng, parts

    def draw(self, queries: int, window: int) -> list[tuple[float, list[LabelledPrompt]]]:
        """Micro-batches of one step of about `queries` queries, each with its share of the step's loss."""
        counts = [self._count(share * queries) for share, _ in self._parts]
        if not any(counts):
            counts[0] = 1
        total = sum(counts)
        return [
            (count / total, pool.batch(count, window))
            for count, (_, pool) in zip(counts, self._parts, strict=True)
            if count
        ]

    def _count(self, wanted: float) -> int:
        return int(wanted) + (self._rng.random() < wanted - int(wanted))
