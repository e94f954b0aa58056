"""The page that sets our figures beside the paper's tables: Markdown and a plot."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from training.evaluation.intervals import STATEMENT, Interval
from training.evaluation.paper.measured import BlockChange, ComparedRow, PaperComparison
from training.evaluation.paper.plot import draw

NOT_MEASURED = "not measured"


def write_page(tables: PaperComparison, out: Path) -> None:
    """Write the page to `out` and its plot beside it, with the same stem and `.png`."""
    out.parent.mkdir(parents=True, exist_ok=True)
    plot = out.with_suffix(".png")
    draw(tables, plot)
    out.write_text("\n".join(_page(tables, plot.name)) + "\n", encoding="utf-8")


def _page(tables: PaperComparison, plot: str) -> Iterator[str]:
    yield "# The ranker beside the paper"
    yield ""
    yield "Written by `nearline report ranker`; the paper is arXiv 2510.22101, whose model, queries and teacher are others:"
    yield "what can be compared is how much a step costs, not the level. Changes are to the dense model on raw text."
    yield ""
    yield from _measured_on(tables)
    yield f"![Changes of NDCG@10 with their intervals, beside the paper's]({plot})"
    yield from numbered(tables, [table.number for table, _ in tables.tables])


def numbered(tables: PaperComparison, numbers: Collection[str]) -> Iterator[str]:
    """The tables with these numbers, such as `Table 1`, which brings table 2 with it."""
    for table, lines in tables.tables:
        if table.number not in numbers:
            continue
        yield ""
        yield f"## {table.number}: {table.title}"
        yield ""
        yield from _table(lines)
        if table.number == "Table 1":
            yield ""
            yield from _blocks(tables.blocks)


def _measured_on(tables: PaperComparison) -> Iterator[str]:
    if tables.note:
        yield from (tables.note, "")
    if tables.dense is None:
        yield from ("`dense.json` is not there, so that no change can be given.", "")
        return
    counts, settings = tables.dense["counts"], tables.dense["settings"]
    yield (
        f"{counts['queries']} queries, {counts['pairs']} pairs, NDCG@{settings['k']} with linear gains (2^grade - 1 apart); "
        f"{settings['resamples']} resamples, {settings['confidence']:.0%}. {STATEMENT}"
    )
    files = ", ".join(f"{each['role']} `{each['name']}` {each['sha256'][:12]}" for each in settings["inputs"])
    yield from (f"Inputs of the dense row by SHA-256: {files}.", "")


def _table(lines: Sequence[ComparedRow]) -> Iterator[str]:
    yield "| model | parameters | NDCG@10 | change | change, 2^grade - 1 | paper's model | paper's change |"
    yield "|---|---|---|---|---|---|---|"
    for line in lines:
        yield f"| {line.title} | {_ours(line)} | {line.paper_model or '–'} | {_change(line.paper_change)} |"


def _ours(line: ComparedRow) -> str:
    found = line.measured
    if found is None:
        return f"– | {NOT_MEASURED} (`{line.file}`) | – | –"
    value = f"{found.value.mean:.4f} [{found.value.low:.4f}, {found.value.high:.4f}]"
    size = f"{found.parameters:,}" if found.parameters else "–"
    return f"{size} | {value} | {_spread(found.change)} | {_spread(found.change_exp)}"


def _blocks(blocks: Sequence[BlockChange] | None) -> Iterator[str]:
    yield "## Table 2: one block removed at a time"
    yield ""
    if not blocks:
        yield f"{NOT_MEASURED} (`scan.json`, which `nearline prune scan --report` writes)."
        return
    yield "| block | change | the paper's block there (of 28) |"
    yield "|---|---|---|"
    for block in blocks:
        there = ", ".join(f"{name} {_change(value)}" for name, value in block.paper.items()) or "–"
        shown = (
            _spread(block.interval)
            if block.interval
            else f"{_change(block.change)} (no interval: no per-query values)"
        )
        yield f"| {block.block} | {shown} | {there} |"


def _spread(interval: Interval | None) -> str:
    if interval is None:
        return "–"
    if interval.low == interval.high == interval.mean == 0:
        return "0"
    return f"{interval.mean:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"


def _change(value: float | None) -> str:
    return "–" if value is None else f"{value:+.4f}" if value else "0"
