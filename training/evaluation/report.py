"""One evaluation as a JSON document: means, intervals, strata, per-query values, settings and hashes of the inputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.writing import write_whole
from schemas.errors import ConfigError
from training.components.arrays import Floats
from training.components.plain_json import finite
from training.evaluation.domain_report import domain_sections
from training.evaluation.domains import held_out_first
from training.evaluation.intervals import STATEMENT, interval_json, paired
from training.evaluation.metrics import METRICS, TIE_RULE
from training.evaluation.probabilities import CalibrationFigures, Pairs, calibration
from training.evaluation.settings import EvaluationConfig, MetricConfig
from training.evaluation.systems import SystemResult
from training.judging.records import JudgedQuery

KIND = "nearline evaluation"
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedCounts:
    """Sizes of the judged set. A query without a gain has no NDCG and is left out of its means."""

    queries: int
    pairs: int
    without_gain: int
    """Queries whose grades are all 0."""
    without_relevant: int
    """Queries without an item of a relevant grade; they still have an NDCG if any grade is above 0."""
    all_alike: int
    """Queries whose items all have one grade: every order is right."""


EvaluationReport = dict[str, Any]


def count(queries: Sequence[JudgedQuery], config: MetricConfig) -> JudgedCounts:
    """The sizes of the judged set; ConfigError when no query has a gain, because then nothing can be measured."""
    found = JudgedCounts(
        queries=len(queries),
        pairs=sum(len(q.labels) for q in queries),
        without_gain=sum(max(q.labels) == 0 for q in queries),
        without_relevant=sum(max(q.labels) < config.relevant for q in queries),
        all_alike=sum(min(q.labels) == max(q.labels) for q in queries),
    )
    if found.without_gain == found.queries:
        raise ConfigError(
            f"none of the {found.queries} queries has an item graded above 0: NDCG is not defined for any of them"
        )
    return found


def build(
    queries: Sequence[JudgedQuery],
    outcomes: Sequence[SystemResult],
    config: EvaluationConfig,
    settings: dict[str, Any],
) -> EvaluationReport:
    """The report as a JSON document; `settings` are the command's, with its inputs and their hashes."""
    strata = held_out_first(sorted({name for query in queries for name in query.strata}))
    members = {name: [row for row, q in enumerate(queries) if name in q.strata] for name in strata}
    whole = _means(outcomes, list(range(len(queries))), config)
    by_stratum = {name: _means(outcomes, rows, config) for name, rows in members.items()}
    return {
        "kind": KIND,
        "version": VERSION,
        "settings": {**settings, "tie_rule": TIE_RULE, **asdict(config.metrics), **asdict(config.bootstrap)},
        "statement": STATEMENT,
        "counts": asdict(count(queries, config.metrics)),
        "strata": {name: len(rows) for name, rows in members.items()},
        "domains": domain_sections(queries, outcomes, config),
        "query_ids": [query.query_id for query in queries],
        "systems": [
            {
                "name": found.name,
                "settings": found.settings,
                "ties": asdict(found.ties),
                "metrics": whole[row],
                "strata": {name: by_stratum[name][row] for name in strata},
                "calibration": _calibration(queries, found, config),
                "per_query": {
                    metric: found.figures[:, column].tolist() for column, metric in enumerate(METRICS)
                },
            }
            for row, found in enumerate(outcomes)
        ],
    }


def _means(
    outcomes: Sequence[SystemResult], rows: list[int], config: EvaluationConfig
) -> list[dict[str, Any]]:
    """For each system and metric the mean over `rows` and the difference to the first system, with intervals."""
    found: list[dict[str, Any]] = [{} for _ in outcomes]
    for column, metric in enumerate(METRICS):
        values_SQ = np.stack([outcome.figures[rows, column] for outcome in outcomes])
        for row, (mean, difference) in enumerate(paired(values_SQ, config.bootstrap)):
            found[row][metric] = interval_json(mean)
            if row:
                found[row][metric]["minus_first"] = interval_json(difference)
    return found


def _calibration(
    queries: Sequence[JudgedQuery], outcome: SystemResult, config: EvaluationConfig
) -> dict[str, object] | None:
    if not outcome.probable or outcome.scores is None:
        return None
    return of_pairs(queries, outcome.scores, config).as_json()


def of_pairs(
    queries: Sequence[JudgedQuery], scores: Sequence[Floats], config: EvaluationConfig
) -> CalibrationFigures:
    """AUC and calibration of logit differences over all judged pairs."""
    labels = np.concatenate([np.array(q.labels) for q in queries])
    pairs = Pairs(
        logits=np.concatenate(list(scores)),
        query=np.repeat(np.arange(len(queries)), [len(q.labels) for q in queries]),
        relevant=labels >= config.metrics.relevant,
        soft=np.concatenate([np.array(q.soft_labels) for q in queries]),
    )
    return calibration(pairs, config.bootstrap)


def input_hashes(role: str, paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Role, name, size and SHA-256 of each file; a directory counts as its files, in order of their names."""
    return [
        {"role": role, "name": path.name, "bytes": path.stat().st_size, "sha256": _sha256(path)}
        for given in paths
        for path in (sorted(p for p in given.iterdir() if p.is_file()) if given.is_dir() else [given])
    ]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(report: EvaluationReport, path: Path) -> None:
    """Write a report completely or not at all; nan and infinity become null."""
    write_whole(path, json.dumps(finite(report), indent=1, allow_nan=False) + "\n")


def load(path: Path) -> EvaluationReport:
    """A report that `write` wrote; ConfigError for another file."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is not a readable report: {error}") from error
    if not isinstance(report, dict) or (report.get("kind"), report.get("version")) != (KIND, VERSION):
        raise ConfigError(f"{path} is not a report of `nearline evaluate --report` of this version")
    return report
