"""curves.png: loss, learning rate and dev NDCG@10 by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

SMOOTH = 20
"""Steps of the running mean of the loss."""


def draw(metrics: Sequence[Mapping[str, Any]], path: Path) -> bool:
    """Draw a run's metrics (lines of metrics.jsonl) into a PNG.

    False when matplotlib (extra `train`) is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(9, 8), layout="constrained")
    FigureCanvasAgg(figure)
    loss, rate, dev = figure.subplots(3, 1, sharex=True)
    steps = [line for line in metrics if line["loss"] is not None]
    places, values = [line["step"] for line in steps], [line["loss"] for line in steps]
    loss.plot(places, values, color="0.75", linewidth=0.8)
    loss.plot(places, _smoothed(values), color="tab:blue")
    loss.set_ylabel("loss")
    rate.plot(places, [line["rate"] for line in steps], color="tab:gray")
    rate.set_ylabel("learning rate")
    seen = [line for line in metrics if line["dev_ndcg"] is not None]
    dev.plot([line["step"] for line in seen], [line["dev_ndcg"] for line in seen], "o-", color="tab:green")
    dev.set_ylabel("dev NDCG@10")
    dev.set_xlabel("step")
    for stage in sorted({line["stage"] for line in steps})[1:]:
        first = next(line["step"] for line in steps if line["stage"] == stage)
        for axes in (loss, rate, dev):
            axes.axvline(first, color="0.5", linestyle=":")
    figure.savefig(path, dpi=110, format="png")
    return True


def _smoothed(values: Sequence[float]) -> list[float]:
    return [float(np.mean(values[max(0, at - SMOOTH + 1) : at + 1])) for at in range(len(values))]
