"""The frontier as a plot: change of NDCG@k against tokens taken away, ours with intervals beside the paper's points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from training.evaluation.compression.published import TABLE_4, TABLE_5
from training.evaluation.compression.results import Results, systems

PAPER = "#8c8c8c"
SHOWN_FROM = 0.4
"""Tokens taken away from which on the plot shows points; before it there is little to see."""


def draw(results: Results, path: Path) -> bool:
    """Write a PNG; False when matplotlib (extra `train`) is not installed."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    rankers = results["rankers"]
    figure = Figure(figsize=(7.5 * len(rankers), 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, ranker in zip(
        figure.subplots(1, len(rankers), sharey=True, squeeze=False)[0], rankers, strict=True
    ):
        _panel(axes, results, ranker)
    # without metadata, so that the same figures give the same file
    figure.savefig(path, dpi=100, format="png", metadata={"Software": None})
    return True


def _panel(axes: Any, results: Results, ranker: str) -> None:
    _paper(axes)
    for kind, style in (("row", "o-"), ("start", "s--"), ("baseline", "^:")):
        for name, points in _by_name(systems(results, kind, ranker=ranker)).items():
            _line(axes, name, style, points)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xlim(SHOWN_FROM, 1.01)
    axes.set_xlabel("description tokens taken away (median)")
    axes.set_ylabel(f"change of NDCG@{results['settings']['k']} to {results['rankers'][0]} on raw text")
    axes.set_title(f"read by {ranker}", loc="left")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", loc="lower left")


def _paper(axes: Any) -> None:
    axes.plot(
        [row.saved for row in TABLE_4],
        [row.change for row in TABLE_4],
        "x",
        color=PAPER,
        label="paper, table 4",
    )
    marks = {"grpo": "v", "dr_grpo": "D", "gspo": "*"}
    for algorithm, mark in marks.items():
        rows = [row for row in TABLE_5 if row.algorithm == algorithm]
        saved, changes = [row.saved for row in rows], [row.change for row in rows]
        axes.plot(saved, changes, mark, color=PAPER, label=f"paper, {algorithm} (p99)", fillstyle="none")


def _by_name(found: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The lengths of each way to shorten, from the longest to the shortest."""
    names: dict[str, list[Mapping[str, Any]]] = {}
    for system in found:
        names.setdefault(system["name"], []).append(system)
    return {name: sorted(own, key=lambda system: system["saved_p50"]) for name, own in names.items()}


def _line(axes: Any, name: str, style: str, points: Sequence[Mapping[str, Any]]) -> None:
    changes = [point["minus_dense"] for point in points]
    saved, means = [point["saved_p50"] for point in points], [change["mean"] for change in changes]
    whiskers = [
        [change["mean"] - change["low"] for change in changes],
        [change["high"] - change["mean"] for change in changes],
    ]
    axes.errorbar(saved, means, yerr=whiskers, fmt=style, label=name, capsize=2, markersize=4, linewidth=1)
