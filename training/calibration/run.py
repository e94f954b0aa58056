"""`nearline train calibrate`: fits the curve and the default threshold on judged pairs and writes both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.calibration import Calibration, write_calibration
from schemas.errors import ConfigError
from training.calibration.fit import METHODS, Labelled
from training.calibration.settings import CalibrationRun
from training.components.arrays import Floats
from training.evaluation.alerts import alerts, least_threshold
from training.evaluation.domains import by_domain, missing
from training.evaluation.probabilities import reliability, sigmoid
from training.evaluation.ranker_system import RankerSystem
from training.evaluation.scorers import EngineScorer, LogitScorer
from training.evaluation.settings import Begin
from training.evaluation.summarized import summarized
from training.judging.judged_file import check_known, read_items, read_judged_queries, shared_postings
from training.judging.records import JudgedQuery

GOAL = 0.04
"""Expected calibration error that every domain should stay under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainPairs:
    """The pairs of one domain: the model's own logit differences, which are relevant, and which half each is in."""

    logits: Floats
    relevant: Any
    half: Any


def calibrate(run: CalibrationRun, begin: Begin) -> tuple[Calibration, list[str]]:
    """Fit, write into the checkpoint, and return what was written, with warnings; ConfigError names a bad input.

    Every domain weighs the same. The figures are those of a curve fitted on the other half of the queries.
    """
    if not 0 < run.precision < 1:
        raise ConfigError(f"--precision {run.precision}: give a share between 0 and 1")
    queries = [query for path in run.judged for query in read_judged_queries(path, run.split)]
    scorer = EngineScorer(run.ranker, run.device, run.kernel_cache, run.kernels)
    domains = _pairs(run, queries, scorer, begin)
    found, told = fitted(domains, run)
    write_calibration(run.ranker, found)
    return found, [*(line for path in run.judged for line in shared_postings(path)), *missing(queries), *told]


def fitted(domains: Mapping[str, DomainPairs], run: CalibrationRun) -> tuple[Calibration, list[str]]:
    """The calibration of these pairs, and warnings about domains that it does not serve well."""
    curve = Calibration(knots=METHODS[run.method](_labelled(list(domains.values()))))
    values = {name: _p_yes(curve, pairs.logits) for name, pairs in domains.items()}
    known = {name: (values[name], domains[name].relevant) for name in domains}
    threshold, told = least_threshold(known, run.precision)
    errors = {name: _crossed_error(domains, name, run) for name in domains}
    told += [f"warning: calibration error {e:.3f} in {n}, over {GOAL}" for n, e in errors.items() if e > GOAL]
    figures = {
        name: {
            "pairs": len(pairs.logits),
            "relevant": int(pairs.relevant.sum()),
            "ece": round(errors[name], 4),
            "ece_uncalibrated": round(_error(sigmoid(pairs.logits), pairs.relevant), 4),
            **({} if threshold is None else _alerting(*known[name], threshold)),
        }
        for name, pairs in domains.items()
    }
    notes: dict[str, Any] = {
        "method": run.method,
        "split": run.split,
        "least_relevant_grade": run.relevant,
        "judged": [path.name for path in run.judged],
        "domains": figures,
    }
    return Calibration(knots=curve.knots, threshold=threshold, fitted=notes), told


def _pairs(
    run: CalibrationRun, queries: Sequence[JudgedQuery], scorer: LogitScorer, begin: Begin
) -> dict[str, DomainPairs]:
    items = read_items(run.postings)
    check_known(queries, items)
    if run.summarizer:
        items = summarized(items, queries, run.summarizer)
    tell = begin("ranker", sum(len(query.posting_ids) for query in queries))
    scores = RankerSystem(scorer=scorer).score_many(queries, items, tell)
    return {
        name: DomainPairs(
            logits=np.concatenate([scores[row] for row in rows]),
            relevant=np.concatenate([np.array(queries[row].labels) >= run.relevant for row in rows]),
            half=np.concatenate([np.full(len(scores[row]), at % 2) for at, row in enumerate(rows)]),
        )
        for name, rows in by_domain(queries).items()
    }


def _labelled(domains: Sequence[DomainPairs]) -> Labelled:
    """All pairs, every domain of the same weight together."""
    total = sum(len(pairs.logits) for pairs in domains)
    return Labelled(
        logits=np.concatenate([pairs.logits for pairs in domains]),
        relevant=np.concatenate([pairs.relevant for pairs in domains]),
        weights=np.concatenate(
            [np.full(len(p.logits), total / len(domains) / len(p.logits)) for p in domains]
        ),
    )


def _crossed_error(domains: Mapping[str, DomainPairs], name: str, run: CalibrationRun) -> float:
    """A domain's calibration error, each half of its queries by the curve of the other halves."""
    p_N, pairs = np.zeros(len(domains[name].logits)), domains[name]
    for half in (0, 1):
        others = [
            DomainPairs(logits=d.logits[d.half != half], relevant=d.relevant[d.half != half], half=d.half)
            for d in domains.values()
            if (d.half != half).any()
        ]
        if others:
            curve = Calibration(knots=METHODS[run.method](_labelled(others)))
            p_N[pairs.half == half] = _p_yes(curve, pairs.logits[pairs.half == half])
    return _error(p_N, pairs.relevant)


def _p_yes(curve: Calibration, logits_N: Floats) -> Floats:
    return sigmoid(np.array([curve.logit(float(logit)) for logit in logits_N]))


def _error(p_N: Floats, relevant_N: Any) -> float:
    bins = reliability(p_N, relevant_N.astype(np.float64), p_N)
    return sum(each.pairs * abs(each.p_yes - each.relevant) for each in bins) / len(p_N)


def _alerting(p_N: Floats, relevant_N: Any, threshold: float) -> dict[str, float]:
    found = alerts(p_N, relevant_N, threshold)
    return {"alerts": found.alerts, "precision": round(found.precision, 4), "recall": round(found.recall, 4)}
