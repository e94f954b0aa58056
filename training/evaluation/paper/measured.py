"""Our figures for the paper's tables 1 to 3, 4 and 6, read from the reports in a folder.

A report is `STEM.json`, written by `nearline evaluate --report` (stems: `paper.tables.TABLES`), or `scan.json`,
written by `nearline prune scan --report`. A `ranker.json` there may give rows other files and titles: `{"note": "…",
"files": {"mlp50": "runs/7.json"}, "titles": {"mlp50": "…"}}`. A row without its file is not measured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from schemas.errors import ConfigError
from training.components.arrays import Floats
from training.evaluation import report as reports
from training.evaluation.intervals import Interval, paired
from training.evaluation.paper.tables import DENSE, SCAN, TABLES, PaperRow, PaperTable, block_names
from training.evaluation.report import EvaluationReport
from training.evaluation.settings import BootstrapConfig

MANIFEST = "ranker.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RankerFigures:
    """Our figures for a row: NDCG@k, and its change to the dense model on the same queries with both gains."""

    value: Interval
    change: Interval | None
    change_exp: Interval | None
    parameters: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRow:
    """A row of a table with our figures (None where its file is missing) and the paper's."""

    title: str
    measured: RankerFigures | None
    file: str
    paper_model: str = ""
    paper_change: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockChange:
    """A row of table 2: the change by removing one block; its interval is None where a scan has no per-query values."""

    block: int
    change: float
    interval: Interval | None
    paper: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperComparison:
    """Everything that the page shows."""

    note: str
    dense: EvaluationReport | None
    tables: Sequence[tuple[PaperTable, Sequence[ComparedRow]]]
    blocks: Sequence[BlockChange] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Content of `ranker.json`: a note for the page, and other files and titles for rows, by their keys."""

    note: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)


def read_tables(runs: Path, *, some: bool = True) -> PaperComparison:
    """Read all reports of a folder.

    ConfigError for a folder without any (if there must be `some`), for a file that is no report, and for reports on
    different queries.
    """
    manifest = _manifest(runs)
    rows = [row for table in TABLES for row in table.rows]
    paths = {row.file: runs / manifest.files.get(row.file, f"{row.file}.json") for row in rows}
    found = {name: reports.load(path) for name, path in paths.items() if path.is_file()}
    scan = runs / manifest.files.get(SCAN, f"{SCAN}.json")
    if some and not found and not scan.is_file():
        raise ConfigError(f"{runs} holds none of {', '.join(f'{name}.json' for name in (*paths, SCAN))}")
    dense = found.get(DENSE)
    for name, report in found.items():
        check_same(dense, report, paths[name], f"{DENSE}.json")
    blocks = _scan(scan) if scan.is_file() else None
    return PaperComparison(
        note=manifest.note, dense=dense, tables=_tables(manifest, found, paths), blocks=blocks
    )


def nothing() -> PaperComparison:
    """What to show where there is no folder of reports: each row of the tables as not measured."""
    paths = {row.file: Path(f"{row.file}.json") for table in TABLES for row in table.rows}
    return PaperComparison(note="", dense=None, tables=_tables(Manifest(), {}, paths), blocks=None)


def measured(tables: PaperComparison) -> bool:
    """Whether any row of the tables has a figure of ours."""
    return bool(tables.blocks) or any(line.measured for _, lines in tables.tables for line in lines)


def _tables(
    manifest: Manifest, found: Mapping[str, EvaluationReport], paths: Mapping[str, Path]
) -> Sequence[tuple[PaperTable, Sequence[ComparedRow]]]:
    return [(table, [_line(row, manifest, found, paths) for row in table.rows]) for table in TABLES]


def _line(
    row: PaperRow, manifest: Manifest, found: Mapping[str, EvaluationReport], paths: Mapping[str, Path]
) -> ComparedRow:
    return ComparedRow(
        title=manifest.titles.get(row.key, row.title),
        measured=_measured(row, found),
        file=paths[row.file].name,
        paper_model=row.paper_model,
        paper_change=row.paper_change,
    )


def _measured(row: PaperRow, found: Mapping[str, EvaluationReport]) -> RankerFigures | None:
    system = _system(found.get(row.file), row.system)
    if system is None:
        return None
    dense = _system(found.get(DENSE), "ranker")
    config = bootstrap_of(found[row.file])
    compared = [paired_change(dense or system, system, metric, config) for metric in ("ndcg", "ndcg_exp")]
    known = dense is not None
    return RankerFigures(
        value=compared[0][0],
        change=compared[0][1] if known else None,
        change_exp=compared[1][1] if known else None,
        parameters=system["settings"].get("parameters"),
    )


def paired_change(
    dense: dict[str, Any], system: dict[str, Any], metric: str, config: BootstrapConfig
) -> tuple[Interval, Interval]:
    """The mean of a metric of `system`, and its paired change to `dense`."""
    return paired(np.stack([_values(each["per_query"][metric]) for each in (dense, system)]), config)[1]


def _values(per_query: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in per_query])


def _system(report: EvaluationReport | None, name: str) -> dict[str, Any] | None:
    systems: list[dict[str, Any]] = report["systems"] if report else []
    return next((system for system in systems if system["name"] == name), None)


def bootstrap_of(report: EvaluationReport) -> BootstrapConfig:
    """The resamples with which a report was made."""
    said = report["settings"]
    return BootstrapConfig(resamples=said["resamples"], seed=said["seed"], confidence=said["confidence"])


def check_same(dense: EvaluationReport | None, report: EvaluationReport, path: Path, file: str) -> None:
    """Raise ConfigError where a report is on other queries than the one in `file`; nothing without that one."""
    if dense is None:
        return
    if (dense["query_ids"], dense["settings"]["k"]) != (
        report["query_ids"],
        report["settings"]["k"],
    ) or _judged(dense) != _judged(report):
        raise ConfigError(
            f"{path} was measured on other queries or another k than {file}: measure it again on the same"
        )


def _judged(report: EvaluationReport) -> list[str]:
    return [each["sha256"] for each in report["settings"]["inputs"] if each["role"] == "judged"]


def _scan(path: Path) -> list[BlockChange]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        whole, without = float(read["whole"]), [float(value) for value in read["without"]]
        per_query = read.get("per_query")
        intervals = _scan_intervals(per_query) if per_query else [None] * len(without)
        return [
            BlockChange(block=b, change=value - whole, interval=i, paper=block_names(b, len(without)))
            for b, (value, i) in enumerate(zip(without, intervals, strict=True))
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is not a report of `nearline prune scan --report`: {error!r}") from error


def _scan_intervals(per_query: Mapping[str, Any]) -> list[Interval | None]:
    values_SQ = np.stack([_values(row) for row in (per_query["whole"], *per_query["without"])])
    return [change for _, change in paired(values_SQ, BootstrapConfig())[1:]]


def _manifest(runs: Path) -> Manifest:
    path = runs / MANIFEST
    if not path.is_file():
        return Manifest()
    try:
        return Manifest(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{path}: give an object with note, files and titles ({error})") from error
