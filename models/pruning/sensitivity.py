"""What each block is worth: a metric of the model without it (the paper's table 2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from models.pruning.layer_drop import without
from schemas.errors import ConfigError

Metric = Callable[[Any], float]
"""A model to a figure, of which more is better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The metric of the whole model, and without each of its blocks in turn."""

    whole: float
    without: tuple[float, ...]

    def changes(self) -> list[float]:
        """What removing each block does to the metric: mostly below 0."""
        return [value - self.whole for value in self.without]

    def least(self, count: int) -> list[int]:
        """The `count` blocks that cost least one at a time, ascending; of equals the last one first."""
        if not 0 < count < len(self.without):
            raise ConfigError(f"cannot drop {count} of {len(self.without)} blocks")
        order = sorted(range(len(self.without)), key=lambda block: (-self.without[block], -block))
        return sorted(order[:count])

    def as_json(self) -> dict[str, object]:
        """What a report stores."""
        return {**asdict(self), "changes": self.changes()}


def scan(model: Any, metric: Metric, progress: Callable[[str], None] = lambda _: None) -> Scan:
    """Measure the model, then without each block; it is as it was afterwards."""
    whole = metric(model)
    progress(f"whole model: {whole:.4f}")
    values = []
    for block in range(len(model.model.layers)):
        with without(model, [block]):
            values.append(metric(model))
        progress(f"without block {block}: {values[-1]:.4f} ({values[-1] - whole:+.4f})")
    return Scan(whole=whole, without=tuple(values))
