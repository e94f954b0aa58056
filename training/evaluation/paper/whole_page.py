"""One page with the paper's tables 1 to 9 beside ours, from kept reports; what is missing is told so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from models.writing import write_whole
from schemas.errors import ConfigError
from training.evaluation.compression.cells import signed
from training.evaluation.compression.measured import RAW
from training.evaluation.compression.page import cliff_line, taken_away
from training.evaluation.compression.plot import draw
from training.evaluation.compression.published import PRODUCTION, TABLE_4, TABLE_5, TABLE_6, PublishedRun
from training.evaluation.compression.results import Results, systems
from training.evaluation.paper.kept import KeptBenchmarks
from training.evaluation.paper.measured import PaperComparison, measured, nothing, read_tables
from training.evaluation.paper.page import NOT_MEASURED, numbered
from training.evaluation.paper.serving import serving
from training.evaluation.paper.short_texts import (
    DENSE,
    FILES,
    PRUNED,
    PRUNED_SFT,
    SWEEP,
    ShortTextReports,
    read_short_texts,
)
from training.evaluation.paper.traffic import traffic

RANKER_PAGE = "ranker.md"
"""The page of `nearline report ranker`, beside this page where it was written."""
NAMES = {"grpo": "GRPO", "dr_grpo": "Dr. GRPO", "gspo": "GSPO"}
Ranked = tuple[str, str, str, str, float | None]
"""A ranker of table 6: its report, its name, what it was fine-tuned on, what it reads, the paper's NDCG@10."""


def write_whole_page(runs: Path | None, out: Path, benchmarks: Path | None = None) -> list[Path]:
    """Write the page, and the frontier's plot beside it; returns what was written.

    `runs`: the reports for tables 1 to 6; without it these are told not measured. `benchmarks`: the results of
    `python -m benchmarks`, for tables 7 to 9. ConfigError for `runs` without any report, and for files that are none.
    """
    kept = KeptBenchmarks(benchmarks)
    short = read_short_texts(runs) if runs else ShortTextReports(reports={}, sweep=None)
    ranker = read_tables(runs, some=False) if runs else nothing()
    if runs and not (short.reports or short.sweep or measured(ranker)):
        raise ConfigError(
            f"--runs {runs} holds none of {', '.join(FILES)}, dense.json, mlp50.json, scan.json, …"
        )
    plot = out.with_name(f"{out.stem}-frontier.png")
    drawn = bool(short.sweep) and draw(short.sweep or {}, plot)
    lines = [*_page(ranker, short, plot.name if drawn else None, out), *serving(kept), *traffic(kept)]
    write_whole(out, "\n".join(lines) + "\n")
    return [out, plot] if drawn else [out]


def _page(ranker: PaperComparison, short: ShortTextReports, plot: str | None, out: Path) -> Iterator[str]:
    yield "# The paper's tables beside ours"
    yield ""
    yield "Written by `nearline report paper` from kept reports; the paper is arXiv 2510.22101, whose models, queries and"
    yield "teacher are others: what can be compared is how much a step costs, not the level. Changes are to the dense ranker"
    yield "on raw text, on the same queries, with 95% intervals; a star marks one that excludes 0."
    yield ""
    yield from _measured_on(short)
    if not measured(ranker) and out.with_name(RANKER_PAGE).is_file():
        yield f"Tables 1 to 3 were measured earlier: [{RANKER_PAGE}]({RANKER_PAGE}); the reports behind them are not kept."
    yield from numbered(ranker, ("Table 1", "Table 3"))
    yield from ("", "## Table 4: shorter texts without training", "")
    yield from _table_4(short)
    yield from ("", "## Table 5: summarizers by reinforcement learning", "")
    yield from _table_5(short.sweep)
    yield from _frontier(short.sweep, plot)
    yield from ("", "## Table 6: a smaller ranker on shorter texts", "")
    yield from _table_6(short)


def _measured_on(short: ShortTextReports) -> Iterator[str]:
    for stem, report in short.reports.items():
        counts = report["counts"]
        yield f"- `{stem}.json`: {counts['queries']} queries, {counts['pairs']} pairs, {report['settings']['share']:.0%} of the tokens asked for"
    if short.sweep:
        yield f"- `{SWEEP}.json`: {len(short.sweep['query_ids'])} queries, rankers {', '.join(short.sweep['rankers'])}"


def _table_4(short: ShortTextReports) -> Iterator[str]:
    yield "| description | our change | our tokens taken away, p50 / p99 | paper's change | paper's tokens taken away |"
    yield "|---|---|---|---|---|"
    for row in TABLE_4:
        system = short.system(DENSE, row.name)
        yield f"| {row.title} (`{row.name}`) | {_short(system)} | {_points(row.change)} | {row.saved:.0%} |"
    for system in short.others():
        yield f"| `{system['name']}` | {_short(system)} | – | – |"


def _short(system: Mapping[str, Any] | None) -> str:
    if system is None:
        return f"{NOT_MEASURED} (`{DENSE}.json`) | –"
    return f"{signed(system['metrics']['ndcg'].get('minus_first'))} | {taken_away(system['summaries'])}"


def _table_5(sweep: Results | None) -> Iterator[str]:
    yield (
        "| algorithm | penalty | w | seeds | our change | our tokens taken away, p50 / p99 | minus its start | paper's change "
        "| paper's tokens taken away, p99 |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    ours = _rows(sweep) if sweep else {}
    for row in TABLE_5:
        key = (row.algorithm, row.penalty, row.w)
        yield f"| {_named(key)} | {_run(ours.pop(key, None))} | {_points(row.change)} | {row.saved:.0%}{_star(row)} |"
    for key, found in ours.items():
        yield f"| {_named(key)} | {_run(found)} | – | – |"
    yield ""
    yield "The row marked † is the paper's in production, whose lengths follow from the weights."
    if sweep and sweep["share"] < 1:
        yield f"Ours were asked for {sweep['share']:.0%} of the tokens, whatever the weight."


def _rows(sweep: Results) -> dict[tuple[str, str, float], tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """By algorithm, penalty and weight: a row, and its figures by the first ranker at the share it was trained for."""
    found = {
        system["name"]: system
        for system in systems(sweep, "row", ranker=sweep["rankers"][0])
        if system["share"] == sweep["share"]
    }
    return {
        (row["algorithm"], row["penalty"], float(row["w"])): (row, found[row["name"]])
        for row in sweep["rows"]
    }


def _named(key: tuple[str, str, float]) -> str:
    return f"{NAMES[key[0]]} | {key[1].upper()} | {key[2]:g}"


def _run(found: tuple[Mapping[str, Any], Mapping[str, Any]] | None) -> str:
    if found is None:
        return f"– | {NOT_MEASURED} (`{SWEEP}.json`) | – | –"
    row, system = found
    start = signed(system["minus"].get("start"))
    return f"{len(row['seeds'])} | {signed(system['minus_dense'])} | {taken_away(system)} | {start}"


def _star(row: PublishedRun) -> str:
    return " †" if (row.algorithm, row.penalty, row.w) == PRODUCTION else ""


def _frontier(sweep: Results | None, plot: str | None) -> Iterator[str]:
    if sweep is None:
        return
    if plot:
        yield from ("", f"![Change of NDCG against tokens taken away, beside the paper's]({plot})")
    yield from ("", "Where the cliff lies (the paper: past 93 to 95%):", "")
    yield from map(cliff_line, sweep["cliffs"])


def _table_6(short: ShortTextReports) -> Iterator[str]:
    yield "| ranker | fine-tuned on | reads | our NDCG | our change | paper's NDCG@10 | paper's change |"
    yield "|---|---|---|---|---|---|---|"
    whole = TABLE_6[0][3]
    rows: tuple[Ranked, ...] = (
        (DENSE, "dense", "", RAW, whole),
        (DENSE, "dense", "", "summaries", None),
        (PRUNED, "pruned", "raw text", RAW, None),
        (PRUNED, "pruned", "raw text", "summaries", TABLE_6[1][3]),
        (PRUNED_SFT, "pruned", "summaries", "summaries", TABLE_6[2][3]),
    )
    for row in rows:
        yield from _ranked(short, row, whole)


def _ranked(short: ShortTextReports, row: Ranked, whole: float) -> Iterator[str]:
    stem, ranker, tuned, reads, paper = row
    published = f"{paper:.4f} | {paper - whole:+.4f}" if paper is not None else "– | –"
    raw = short.system(stem, RAW)
    found = short.trained(stem) if reads != RAW else [raw] if raw else []
    start = f"| {ranker} | {tuned or '–'} |"
    if not found:
        yield f"{start} {'raw text' if reads == RAW else reads} | {NOT_MEASURED} (`{stem}.json`) | – | {published} |"
    for system in found:
        ndcg = system["metrics"]["ndcg"]
        text = "raw text" if reads == RAW else f"summaries of `{system['name']}`"
        value = f"{ndcg['mean']:.4f} [{ndcg['low']:.4f}, {ndcg['high']:.4f}]"
        yield f"{start} {text} | {value} | {signed(short.change(stem, system))} | {published} |"


def _points(change: float) -> str:
    return f"{change:+.3f}"
