"""curves.png of a reinforcement-learning run: reward and its parts, lengths, KL, clipping, entropy, guards, dev."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.guards import GUARDS

SMOOTH = 10
"""Steps of the running means."""
PANELS: Mapping[str, tuple[str, ...]] = {
    "reward and its parts": ("reward", "agreement", "penalty", "grade"),
    "tokens of a summary": ("tokens",),
    "share of the text's tokens": ("share", "dev_share"),
    "KL to the start": ("kl_start",),
    "clipped share, |ratio - 1|": ("clipped", "ratio"),
    "entropy of an action": ("entropy",),
    "share of summaries": GUARDS,
    "dev: KL to raw text": ("dev_kl",),
}


def draw(metrics: Sequence[Mapping[str, Any]], path: Path) -> bool:
    """Draw lines of metrics.jsonl into a PNG; False when matplotlib (extra `train`) is not installed."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(11, 12), layout="constrained")
    FigureCanvasAgg(figure)
    lines = [{**line, **line.get("guards", {})} for line in metrics]
    for axes, (title, names) in zip(figure.subplots(4, 2, sharex=True).flat, PANELS.items(), strict=True):
        for name in names:
            _line(axes, lines, name)
        axes.set_ylabel(title)
        axes.legend(fontsize="small")
    figure.savefig(path, dpi=100, format="png")
    return True


def _line(axes: Any, lines: Sequence[Mapping[str, Any]], name: str) -> None:
    seen = [(line["step"], line[name]) for line in lines if line.get(name) is not None]
    steps, values = [step for step, _ in seen], [value for _, value in seen]
    smooth = values if name.startswith("dev_") else smoothed(values)
    axes.plot(steps, smooth, "o-" if name.startswith("dev_") else "-", label=name, markersize=3)


def smoothed(values: Sequence[float]) -> list[float]:
    """Means of each value with those before it, at most SMOOTH of them."""
    return [float(np.mean(values[max(0, at - SMOOTH + 1) : at + 1])) for at in range(len(values))]
