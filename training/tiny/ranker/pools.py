"""The protocol of pools, and the draw of one training step: micro-batches of several pools, each padded by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from typing_extensions import override

from training.tiny.ranker.examples import LabelledPrompt


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowStage:
    """From the share `start` of the run on: the windows (text tokens of a prompt) to draw from, and queries a step."""

    start: float
    windows: tuple[int, ...]
    queries: int


class ExamplePool(Protocol):
    """Draws queries with candidates, whose texts are cut to a window of tokens."""

    def batch(self, queries: int, window: int) -> list[LabelledPrompt]:
        """`queries` x CANDIDATES prompts, those of one query together."""
        ...


class RenewedPool(ExamplePool):
    """Makes a new pool after every `batches` batches: a generated posting is read a few times, then never again."""

    def __init__(self, make: Callable[[], ExamplePool], batches: int) -> None:
        self._make, self._batches, self._drawn = make, batches, 0
        self._pool = make()

    @override
    def batch(self, queries: int, window: int) -> list[LabelledPrompt]:
        """Replace the pool before the draw at every `batches`-th call, which therefore takes longer."""
        self._drawn += 1
        if self._drawn % self._batches == 0:
            self._pool = self._make()
        return self._pool.batch(queries, window)


class PoolMix:
    """Draws each step from all pools, by their shares of the step's queries.

    A fraction of a query is drawn as a whole one with that probability.
    """

    def __init__(self, rng: Random, parts: Sequence[tuple[float, ExamplePool]]) -> None:
        self._rng, self._parts = rng, parts

    def draw(self, queries: int, window: int) -> list[tuple[float, list[LabelledPrompt]]]:
        """The micro-batches of one step, about `queries` queries in all, each with its weight in the step's loss."""
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
