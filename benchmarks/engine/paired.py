"""Ratios of what was measured side by side; all pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """The median of ratios of paired rounds, and an interval that holds the true median with `confidence`."""

    median: float
    low: float
    high: float
    confidence: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def ratio(above: Sequence[float], below: Sequence[float]) -> Ratio:
    """Round by round `above / below`; raises ValueError without a round or for unequal numbers of them."""
    values = sorted(a / b for a, b in zip(above, below, strict=True))
    if not values:
        raise ValueError("no rounds")
    cut = _cut(len(values))
    return Ratio(
        median=statistics.median(values),
        low=values[cut],
        high=values[-1 - cut],
        confidence=_coverage(len(values), cut),
    )


def _cut(rounds: int) -> int:
    """How many of the extremes on each side may be left out at 95%; none if even all of them fall short of it."""
    cuts = [cut for cut in range((rounds + 1) // 2) if _coverage(rounds, cut) >= CONFIDENCE]
    return max(cuts, default=0)


def _coverage(rounds: int, cut: int) -> float:
    """Probability that the median lies between the order statistics left, whatever the distribution."""
    outside = float(sum(comb(rounds, k) for k in range(cut + 1))) / float(2**rounds)
    return max(0.0, 1 - 2 * outside)
