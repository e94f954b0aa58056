"""Measure what each block is worth: a metric of the model without that block (the paper's table 2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.pruning.layer_drop import without
from schemas.errors import ConfigError

Floats = npt.NDArray[np.float64]
Metric = Callable[[Any], Floats]
"""model -> a figure for each query, [Q]; higher is better."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scan:
    """The metric of each query: of the whole model [Q], and without each of its blocks [B, Q]."""

    whole_Q: Floats
    without_BQ: Floats

    @property
    def whole(self) -> float:
        """Mean of the whole model."""
        return float(self.whole_Q.mean())

    @property
    def without(self) -> list[float]:
        """Mean without each block."""
        return [float(values_Q.mean()) for values_Q in self.without_BQ]

    def changes(self) -> list[float]:
        """Return by how much removing each block changes the mean: mostly below 0."""
        return [value - self.whole for value in self.without]

    def least(self, count: int) -> list[int]:
        """Return the `count` blocks whose single removal costs least, ascending; of equals the later block."""
        found = self.without
        if not 0 < count < len(found):
            raise ConfigError(f"cannot drop {count} of {len(found)} blocks")
        order = sorted(range(len(found)), key=lambda block: (-found[block], -block))
        return sorted(order[:count])

    def as_json(self) -> dict[str, object]:
        """Return the figures as a report stores them."""
        return {
            "whole": self.whole,
            "without": self.without,
            "changes": self.changes(),
            "per_query": {"whole": self.whole_Q.tolist(), "without": self.without_BQ.tolist()},
        }


def scan(model: Any, metric: Metric, progress: Callable[[str], None] = lambda _: None) -> Scan:
    """Measure the whole model, then the model without each block in turn; the model is unchanged afterwards."""
    whole_Q = metric(model)
    progress(f"whole model: {whole_Q.mean():.4f}")
    values = []
    for block in range(len(model.model.layers)):
        with without(model, [block]):
            values.append(metric(model))
        change = values[-1].mean() - whole_Q.mean()
        progress(f"without block {block}: {values[-1].mean():.4f} ({change:+.4f})")
    return Scan(whole_Q=whole_Q, without_BQ=np.stack(values))
