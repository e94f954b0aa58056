"""Write plots as PNG files by matplotlib, without a display."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from schemas.errors import ConfigError

Line = tuple[Sequence[float], Sequence[float]]


def bars(path: Path, title: str, unit: str, groups: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    """Horizontal bars of medians with whiskers from low to high; one colour for each group.

    `groups`: group → bar → {median, low, high}.
    """
    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    figure, axes = _axes(9, 1.2 + 0.4 * len(names) * len(groups))
    height = 0.8 / len(groups)
    for n, (label, group) in enumerate(groups.items()):
        places = [names.index(name) + n * height for name in group]
        medians = [spread["median"] for spread in group.values()]
        whiskers = [
            [spread["median"] - spread["low"] for spread in group.values()],
            [spread["high"] - spread["median"] for spread in group.values()],
        ]
        axes.barh(places, medians, height=height, xerr=whiskers, label=label, capsize=3)
    axes.set_yticks([i + height * (len(groups) - 1) / 2 for i in range(len(names))], names)
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    _finish(figure, axes, path, title, legend=len(groups) > 1)


def stacked(path: Path, title: str, unit: str, shares: Mapping[str, Mapping[str, float]]) -> None:
    """Horizontal bars, each made of parts; `shares`: bar → part → value."""
    figure, axes = _axes(9, 1.6 + 0.45 * len(shares))
    starts = dict.fromkeys(shares, 0.0)
    for part in dict.fromkeys(part for parts in shares.values() for part in parts):
        values = [parts.get(part, 0.0) for parts in shares.values()]
        axes.barh(list(shares), values, left=list(starts.values()), label=part)
        starts = {bar: starts[bar] + value for bar, value in zip(shares, values, strict=True)}
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    _finish(figure, axes, path, title, legend=True)


def lines(
    path: Path, title: str, across: str, up: str, series: Mapping[str, Line], *, log: bool = False
) -> None:
    """A line for each name of `series`; with `log` the upward axis is logarithmic, but for values below 1."""
    figure, axes = _axes(9, 4.5)
    for name, (xs, ys) in series.items():
        axes.plot(xs, ys, label=name)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    if log:
        axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(bottom=0)
    _finish(figure, axes, path, title, legend=True)


def _axes(width: float, height: float) -> tuple[Any, Any]:
    """A figure drawn without a display. ConfigError when matplotlib is missing."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigError("plots need the extra `bench`: pip install 'nearline-job-search[bench]'") from None
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def _finish(figure: Any, axes: Any, path: Path, title: str, *, legend: bool) -> None:
    axes.set_title(title, loc="left")
    axes.grid(visible=True, axis="both", alpha=0.3)
    if legend:
        axes.legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    # without metadata, so that the same figures give the same file
    figure.savefig(path, dpi=110, metadata={"Software": None})
