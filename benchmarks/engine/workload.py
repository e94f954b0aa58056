"""What is asked: requests of token ids, the same for every contender of a round, new in every round."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

LABELS = (1001, 2002)
UNEQUAL = (20, 30, 45, 60, 80, 110, 150, 200, 275, 530)
"""Own tokens of ten items: together as many as ten of 150."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One query's tokens and those of its items; each prompt is `prefix + item`."""

    prefix: list[int]
    items: list[list[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The lengths of what is asked at once: `requests` of the same kind."""

    shared: int
    own: tuple[int, ...]
    requests: int = 1

    @property
    def items(self) -> int:
        """Items in all requests."""
        return self.requests * len(self.own)

    def draw(self, seed: str, vocab: int) -> list[Request]:
        """Random ids of these lengths; the items of a request come in a random order."""
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


def equal(items: int, prompt: int, shared: int, requests: int = 1) -> Load:
    """Items that all give prompts of `prompt` tokens."""
    return Load(shared=shared, own=(prompt - shared,) * items, requests=requests)


def largest_difference(a: Sequence[Sequence[float]], b: Sequence[Sequence[float]]) -> float:
    """The largest distance of two answers to the same requests."""
    return max(abs(x - y) for one, other in zip(a, b, strict=True) for x, y in zip(one, other, strict=True))
