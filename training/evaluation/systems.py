"""The protocol of compared systems, and the computation of a system's figures from its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from models.prompts import Item
from schemas.errors import ConfigError
from training.components.arrays import Floats, Ints
from training.evaluation.metrics import expected, figures, level, ranked, single
from training.evaluation.settings import MetricConfig, Tell
from training.evaluation.trec import Run
from training.judging.records import JudgedQuery


class System(Protocol):
    """Scores for the items of queries; higher is better."""

    @property
    def name(self) -> str:
        """The row's name in a table."""
        ...

    @property
    def settings(self) -> dict[str, Any]:
        """Settings that a report shows, enough to reproduce the scores."""
        ...

    def score_many(
        self, queries: Sequence[JudgedQuery], items: Mapping[str, Item], tell: Tell
    ) -> list[Floats]:
        """One score for each item of each query, in the order of its `posting_ids`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ties:
    """Numbers of queries in which items of different grades share a score, and in which all items share one."""

    mixed: int = 0
    all_items: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemResult:
    """One system's figures on all queries: METRICS as `figures` [Q, 3], ties, and its scores if it gave any."""

    name: str
    settings: dict[str, Any]
    figures: Floats
    ties: Ties = field(default_factory=Ties)
    scores: Sequence[Floats] | None = None
    """Scores of the judged items; they are logit differences if `probable`."""
    probable: bool = False
    threshold: float | None = None
    """The `p_yes` from which a pair alerts, of a probable system."""


def system_result(
    system: System,
    queries: Sequence[JudgedQuery],
    items: Mapping[str, Item],
    config: MetricConfig,
    tell: Tell,
) -> SystemResult:
    """Score all queries by a system and compute its figures; ConfigError for a score that is not finite.

    A query whose items all have one score has the mean figures of all orders, since the system gave it none.
    """
    scores = system.score_many(queries, items, tell)
    for query, scores_N in zip(queries, scores, strict=True):
        if not np.isfinite(scores_N).all():
            posting = query.posting_ids[int((~np.isfinite(scores_N)).argmax())]
            raise ConfigError(
                f"{system.name} gives no number for posting {posting!r} of query {query.query_id!r}"
            )
    labels = [np.array(q.labels) for q in queries]
    rows = [query_figures(s, q, config) for s, q in zip(scores, queries, strict=True)]
    return SystemResult(
        name=system.name,
        settings=system.settings,
        figures=np.array(rows),
        ties=count_ties(scores, labels),
        scores=scores,
        probable=bool(system.settings.get("probable")),
        threshold=system.settings.get("threshold"),
    )


def query_figures(scores_N: Floats, query: JudgedQuery, config: MetricConfig) -> tuple[float, float, float]:
    """The METRICS of one query; their means over all orders where all items have one score."""
    labels = np.array(query.labels)
    if level(scores_N):
        return expected(labels, config)
    return figures(labels[ranked(scores_N, query.posting_ids)], labels, config)


def random_order(queries: Sequence[JudgedQuery], config: MetricConfig) -> SystemResult:
    """The exact mean figures of all orders; nothing is drawn."""
    rows = [expected(np.array(q.labels), config) for q in queries]
    return SystemResult(
        name="random", settings={"value": "exact mean over all orders"}, figures=np.array(rows)
    )


def of_run(name: str, run: Run, queries: Sequence[JudgedQuery], config: MetricConfig) -> SystemResult:
    """The figures of a TREC run; an unjudged item has no gain, and a query that the run lacks has NDCG 0."""
    rows, scores, labels = [], [], []
    for query in queries:
        grades = dict(zip(query.posting_ids, query.labels, strict=True))
        retrieved = run.get(query.query_id, {})
        scores.append(np.array(list(retrieved.values()), dtype=np.float64))
        labels.append(np.array([grades.get(posting, 0) for posting in retrieved], dtype=np.int64))
        order = ranked(scores[-1], list(retrieved))
        rows.append(figures(labels[-1][order], np.array(query.labels), config))
    absent = sum(query.query_id not in run for query in queries)
    foreign = len(run.keys() - {query.query_id for query in queries})
    return SystemResult(
        name=name,
        settings={"queries_absent_from_run": absent, "queries_without_qrels": foreign},
        figures=np.array(rows),
        ties=count_ties(scores, labels),
    )


def count_ties(scores: Sequence[Floats], labels: Sequence[Ints]) -> Ties:
    """Count the queries with ties; scores are compared as fp32, as they are for ranking."""
    mixed = whole = 0
    for scores_N, labels_N in zip(scores, labels, strict=True):
        held = single(scores_N)
        different = {(score, int(label)) for score, label in zip(held.tolist(), labels_N, strict=True)}
        distinct = len(np.unique(held))
        mixed += len(different) > distinct
        whole += distinct == 1 and len(held) > 1
    return Ties(mixed=mixed, all_items=whole)
