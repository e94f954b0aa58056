"""Plots of a simulated run: rates, latencies, depth, use of servers and cache, and verdicts over the simulated time."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

PANELS = (
    ("requests a second", ("arrived ", "ended ")),
    ("p95 of answers, ms", ("p95_ms ",)),
    ("depth, candidates", ("depth ",)),
    ("share", ("busy", "hit rate")),
    ("requests waiting", ("waiting",)),
    ("limit, candidates", ("limit",)),
    ("verdicts a second", ("deferred ", "shed ")),
)
"""A panel's axis, and how the names of its series begin."""
COUNTS = ("arrived ", "ended ", "deferred ", "shed ")
"""Series that count, and are shown by the second."""


def can_draw() -> bool:
    """Whether matplotlib (extras `bench` and `train`) is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(series: Mapping[str, Any], path: Path) -> None:
    """Draw a run's series into a PNG: a panel for each of PANELS of which there is a series."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    step_s = series["step_s"]
    panels = [(label, lines) for label, begins in PANELS if (lines := dict(_lines(series, begins, step_s)))]
    figure = Figure(figsize=(10, 2.1 * len(panels) + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)
    for (axes,), (label, lines) in zip(grid, panels, strict=True):
        for name, values in lines.items():
            axes.plot([step_s * n for n in range(len(values))], values, label=name, linewidth=1.1)
        axes.set_ylabel(label, fontsize="small")
        axes.set_ylim(bottom=0)
        axes.grid(visible=True, alpha=0.3)
        axes.legend(fontsize="x-small", loc="upper right")
    grid[-1][0].set_xlabel("simulated time, s")
    # without metadata, so that the same run gives the same file
    figure.savefig(path, dpi=110, format="png", metadata={"Software": None})


def _lines(
    series: Mapping[str, Any], begins: Sequence[str], step_s: float
) -> Iterator[tuple[str, Sequence[float]]]:
    for name, values in series.items():
        if name.startswith(tuple(begins)) and any(values):
            counted = name.startswith(COUNTS)
            yield name, [value / step_s for value in values] if counted else values
