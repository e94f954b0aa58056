"""What a report says of each domain: NDCG beside the other systems, alerts at the threshold, calibration, strata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from models.prompts import Item
from training.components.arrays import Floats
from training.evaluation.alerts import alerts
from training.evaluation.domains import by_domain, held_out_first
from training.evaluation.intervals import interval_json, paired
from training.evaluation.languages import is_english
from training.evaluation.probabilities import reliability, sigmoid
from training.evaluation.settings import EvaluationConfig
from training.evaluation.systems import SystemResult, query_figures
from training.judging.records import JudgedQuery


def domain_sections(
    queries: Sequence[JudgedQuery], outcomes: Sequence[SystemResult], config: EvaluationConfig
) -> dict[str, dict[str, Any]]:
    """A section for each domain that the file has, with its strata, those held out from the teacher first."""
    return {name: _domain(queries, outcomes, rows, config) for name, rows in by_domain(queries).items()}


def _domain(
    queries: Sequence[JudgedQuery],
    outcomes: Sequence[SystemResult],
    rows: Sequence[int],
    config: EvaluationConfig,
) -> dict[str, Any]:
    strata = held_out_first(sorted({name for row in rows for name in queries[row].strata}))
    members = {name: [row for row in rows if name in queries[row].strata] for name in strata}
    return {
        **_group(queries, outcomes, rows, config),
        "strata": {
            name: _group(queries, outcomes, some, config)
            for name, some in members.items()
            if len(some) < len(rows)
        },
    }


def _group(
    queries: Sequence[JudgedQuery],
    outcomes: Sequence[SystemResult],
    rows: Sequence[int],
    config: EvaluationConfig,
) -> dict[str, Any]:
    values_SQ = np.stack([outcome.figures[list(rows), 0] for outcome in outcomes])
    systems = []
    for at, (mean, difference) in enumerate(paired(values_SQ, config.bootstrap)):
        found: dict[str, Any] = {"name": outcomes[at].name, "ndcg": interval_json(mean)}
        if at:
            found["ndcg"]["minus_first"] = interval_json(difference)
        found |= _probable(queries, outcomes[at], rows, config)
        systems.append(found)
    return {"queries": len(rows), "pairs": sum(len(queries[row].labels) for row in rows), "systems": systems}


def _probable(
    queries: Sequence[JudgedQuery], outcome: SystemResult, rows: Sequence[int], config: EvaluationConfig
) -> dict[str, Any]:
    """Alerts at the system's threshold, and calibration; nothing of a system without probabilities."""
    if not outcome.probable or outcome.scores is None or outcome.threshold is None:
        return {}
    p_N = sigmoid(np.concatenate([outcome.scores[row] for row in rows]))
    relevant_N = np.concatenate([np.array(queries[row].labels) >= config.metrics.relevant for row in rows])
    bins = reliability(p_N, relevant_N.astype(np.float64), p_N)
    return {
        "alerts": alerts(p_N, relevant_N, outcome.threshold).as_json(),
        "ece": sum(each.pairs * abs(each.p_yes - each.relevant) for each in bins) / len(p_N),
        "bins": [asdict(each) for each in bins],
    }


def other_languages(
    queries: Sequence[JudgedQuery],
    outcomes: Sequence[SystemResult],
    items: Mapping[str, Item],
    config: EvaluationConfig,
) -> dict[str, Any]:
    """How the systems order the postings that are not in English, among themselves; {} where there are none.

    Queries with two or more of them, one with a grade above 0.
    """
    foreign = {
        posting for query in queries for posting in query.posting_ids if not is_english(items[posting])
    }
    places = [[at for at, posting in enumerate(q.posting_ids) if posting in foreign] for q in queries]
    rows = [row for row, at in enumerate(places) if len(at) > 1 and any(queries[row].labels[i] for i in at)]
    counts = {"postings": len(foreign), "pairs": sum(map(len, places)), "queries": len(rows)}
    if not rows:
        return counts if foreign else {}
    kept = [_part(queries[row], places[row]) for row in rows]
    parts = [
        replace(
            outcome,
            scores=(scores := [outcome.scores[row][places[row]] for row in rows]),
            figures=np.array(
                [query_figures(s, q, config.metrics) for s, q in zip(scores, kept, strict=True)]
            ),
        )
        for outcome in outcomes
        if outcome.scores is not None
    ]
    return counts | {"systems": _group(kept, parts, range(len(kept)), config)["systems"]}


def _part(query: JudgedQuery, places: Sequence[int]) -> JudgedQuery:
    """The query with some of its items only."""
    return replace(
        query,
        posting_ids=tuple(query.posting_ids[at] for at in places),
        labels=tuple(query.labels[at] for at in places),
        soft_labels=tuple(query.soft_labels[at] for at in places),
    )


def unreached(queries: Sequence[JudgedQuery], outcomes: Sequence[SystemResult]) -> list[str]:
    """A warning for each system and domain in which no score reaches the system's threshold."""
    found = []
    for outcome in outcomes:
        if outcome.probable and outcome.scores and outcome.threshold is not None:
            for name, rows in by_domain(queries).items():
                highest = _highest([outcome.scores[row] for row in rows])
                if highest < outcome.threshold:
                    found.append(
                        f"warning: no score of {outcome.name} in {name} reaches the threshold {outcome.threshold} "
                        f"(the highest is {highest:.3f}): nothing there would alert (--threshold)"
                    )
    return found


def _highest(scores: Sequence[Floats]) -> float:
    return float(sigmoid(np.array([max(row) for row in scores if len(row)])).max(initial=0))
