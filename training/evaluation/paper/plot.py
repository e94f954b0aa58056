"""The plot of changes of NDCG@10: ours with intervals and the paper's, one line for each model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from training.evaluation.intervals import Interval
from training.evaluation.paper.measured import BlockChange, ComparedRow, PaperComparison

PAPER, OURS = "#8c8c8c", "#1f5fa8"
Mark = tuple[str, float | None, Interval | None, Sequence[float]]
"""A line of the plot: the model's name, our change, its interval, the paper's changes."""


def draw(tables: PaperComparison, out: Path) -> None:
    """Write a PNG with one panel for the rows of the tables and one for single blocks; an empty panel is left out."""
    rows = [mark for _, lines in tables.tables for line in lines if (mark := _of_line(line))]
    panels = [list(dict.fromkeys(rows)), [_of_block(block) for block in tables.blocks or ()]]
    panels = [panel for panel in panels if panel]
    figure = Figure(figsize=(8, 1.2 + 0.35 * sum(map(len, panels))), layout="constrained")
    axes = figure.subplots(
        max(1, len(panels)), 1, squeeze=False, height_ratios=[len(p) for p in panels] or [1]
    )
    for axis, panel in zip(axes[:, 0], panels, strict=False):
        _panel(axis, panel)
    FigureCanvasAgg(figure).print_png(out)


def _of_line(line: ComparedRow) -> Mark | None:
    change = line.measured.change if line.measured else None
    paper = () if line.paper_change is None else (line.paper_change,)
    if line.paper_change == 0 or (change is None and not paper):
        return None
    return line.title, change.mean if change else None, change, paper


def _of_block(block: BlockChange) -> Mark:
    return f"without block {block.block}", block.change, block.interval, tuple(block.paper.values())


def _panel(axis: Axes, rows: Sequence[Mark]) -> None:
    for row, (_, ours, interval, paper) in enumerate(rows):
        axis.plot(list(paper), [row] * len(paper), "D", color=PAPER)
        if interval:
            axis.plot([interval.low, interval.high], [row, row], color=OURS)
        if ours is not None:
            axis.plot([ours], [row], "o", color=OURS)
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_yticks(range(len(rows)), [name for name, *_ in rows])
    axis.invert_yaxis()
    axis.set_xlabel("change of NDCG@10: ours ●, paper's ◆")
