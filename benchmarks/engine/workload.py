"""Requests of token ids: the same for all contenders in a round, different in every round."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

LABELS = (1001, 2002)
UNEQUAL = (20, 30, 45, 60, 80, 110, 150, 200, 275, 530)
"""Lengths of ten items without the shared tokens, 150 on average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The tokens of a query and of its items; each prompt is `prefix + item`."""

    prefix: list[int]
    items: list[list[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Lengths in tokens of `requests` requests asked at once: `shared` by all items, `own` of each item."""

    shared: int
    own: tuple[int, ...]
    requests: int = 1

    @property
    def items(self) -> int:
        """Number of items in all requests."""
        return self.requests * len(self.own)

    def draw(self, seed: str, vocab: int) -> list[Request]:
        """Requests of random token ids with these lengths, the items of each in random order."""
        source = random.Random(seed)

        def tokens(count: int) -> list[int]:
            return source.choices(range(10, vocab), k=count)

        return [
            Request(
                prefix=tokens(self.shared),
                items=[tokens(n) for n in source.sample(self.own, k=len(self.own))],
            )
            for _ in range(self.requests)
        ]


def equal(items: int, prompt: int, shared: int, requests: int = 1) -> Workload:
    """A workload whose prompts all have `prompt` tokens."""
    return Workload(shared=shared, own=(prompt - shared,) * items, requests=requests)


def largest_difference(a: Sequence[Sequence[float]], b: Sequence[Sequence[float]]) -> float:
    """The largest difference between two answers to the same requests."""
    return max(abs(x - y) for one, other in zip(a, b, strict=True) for x, y in zip(one, other, strict=True))
