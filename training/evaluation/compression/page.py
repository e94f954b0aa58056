"""The results of a sweep as a page: rows as trained, all lengths, where the cliff lies, and the plot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from models.writing import write_whole
from training.evaluation.compression.cells import signed
from training.evaluation.compression.plot import draw
from training.evaluation.compression.results import Results, systems


def write_page(results: Results, path: Path) -> None:
    """Write the page, and the plot beside it where matplotlib is installed."""
    plot = path.with_suffix(".png")
    drawn = draw(results, plot)
    write_whole(path, "\n".join(_page(results, plot.name if drawn else None)) + "\n")


def _page(results: Results, plot: str | None) -> Iterator[str]:
    settings = results["settings"]
    yield "# What shorter texts cost"
    yield ""
    yield (
        f"{len(results['query_ids'])} held-out queries, NDCG@{settings['k']}, {settings['resamples']} resamples. "
        f"{results['statement']} A star marks an interval that excludes 0."
    )
    yield ""
    yield (
        f"![Change of NDCG against tokens taken away]({plot})"
        if plot
        else "No plot: matplotlib is not installed."
    )
    yield from ("", f"## As trained, at {results['share']:.0%} of the tokens", "")
    yield from trained_table(results)
    yield from ("", "## At all lengths", "")
    yield from _lengths(results)
    yield from ("", "## Where the cliff lies", "")
    yield from map(cliff_line, results["cliffs"])
    yield from _ended(results)


def trained_table(results: Results) -> Iterator[str]:
    """Each row of the grid and each baseline at the share that the runs were trained for, by each ranker."""
    others = [name for name in _names(results) if any(name in s["minus"] for s in results["systems"])]
    minus = "".join(f" minus {name} |" for name in others)
    yield f"| ranker | description | change to raw, same ranker | change to {results['rankers'][0]} on raw |{minus} taken away p50 / p99 | KL |"
    yield "|---" * (6 + len(others)) + "|"
    for ranker in results["rankers"]:
        for kind in ("raw", "row", "start", "baseline"):
            for system in systems(results, kind, ranker=ranker):
                if kind == "raw" or system["share"] == results["share"]:
                    cells = "".join(f" {signed(system['minus'].get(name))} |" for name in others)
                    yield f"| {ranker} | {system['name']} | {signed(system['minus_raw'])} | {signed(system['minus_dense'])} |{cells} {taken_away(system)} | {system['kl']['mean']:.4f} |"


def taken_away(system: Mapping[str, Any]) -> str:
    """Tokens taken away at the median and the 99th percentile of the lengths."""
    return f"{system['saved_p50']:.1%} / {system['saved_p99']:.1%}"


def cliff_line(found: Mapping[str, Any]) -> str:
    """Where NDCG falls most steeply, or that it falls nowhere beyond its interval, as an item of a list."""
    start, cliff = f"- {found['name']}, read by {found['ranker']}: ", found["cliff"]
    if cliff is None:
        return f"{start}no step between the lengths measured loses more than its interval"
    change = signed(cliff["change"])
    return f"{start}steepest from {cliff['saved_from']:.1%} to {cliff['saved_to']:.1%} taken away, {change}"


def _lengths(results: Results) -> Iterator[str]:
    yield "| ranker | description | asked for | taken away p50 / p99 | change to raw, same ranker | minus start |"
    yield "|---|---|---|---|---|---|"
    for kind in ("row", "start", "baseline"):
        for system in systems(results, kind):
            start = signed(system["minus"].get("start"))
            yield f"| {system['ranker']} | {system['name']} | {system['share']:.0%} | {taken_away(system)} | {signed(system['minus_raw'])} | {start} |"


def _names(results: Results) -> list[str]:
    return list(dict.fromkeys(s["name"] for kind in ("start", "baseline") for s in systems(results, kind)))


def _ended(results: Results) -> Iterator[str]:
    diverged = [run["name"] for run in results["runs"] if run["ended"] == "diverged"]
    if diverged:
        yield ""
        yield f"Runs that diverged and have no figures: {', '.join(diverged)}."
