"""Ratios of rounds that were measured in pairs: pure functions."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """The median ratio of paired rounds, and an interval that contains the true median with `confidence`."""

    median: float
    low: float
    high: float
    confidence: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def ratio(above: Sequence[float], below: Sequence[float]) -> Ratio:
    """The ratio `above / below` round by round; raises ValueError without rounds or for unequal numbers of them."""
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
    """How many values each end may lose while the interval keeps its confidence; 0 when there are too few rounds."""
    cuts = [cut for cut in range((rounds + 1) // 2) if _coverage(rounds, cut) >= CONFIDENCE]
    return max(cuts, default=0)


def _coverage(rounds: int, cut: int) -> float:
    """Probability, for any distribution, that the median lies between the outermost values that are left."""
    outside = float(sum(comb(rounds, k) for k in range(cut + 1))) / float(2**rounds)
    return max(0.0, 1 - 2 * outside)
