"""What an evaluation says of each domain: alerts, thresholds, held-out strata first, other languages, warnings."""

import json
from pathlib import Path

import numpy as np
import pytest

from models.prompts import Item
from training.evaluation.alerts import LEAST_ALERTS, alerts, least_threshold
from training.evaluation.domain_report import domain_sections, other_languages, unreached
from training.evaluation.domains import by_domain, held_out_first, missing, untaught
from training.evaluation.languages import is_english
from training.evaluation.settings import BootstrapConfig, EvaluationConfig
from training.evaluation.systems import SystemResult, query_figures
from training.judging.judged_file import shared_postings
from training.judging.records import JudgedQuery, Judgement, Split

QUICK = EvaluationConfig(bootstrap=BootstrapConfig(resamples=100))
ENGLISH = "We look for a nurse who will work with the team in our hospital and has been on a ward for a year or more."
GERMAN = "Wir suchen eine Pflegekraft für die Station im Krankenhaus, gern mit Erfahrung und Freude an der Arbeit mit Menschen jeden Alters."


def query(number: int, *strata: str, labels: tuple[int, ...] = (4, 0, 3)) -> JudgedQuery:
    return JudgedQuery(
        query_id=f"q{number}",
        query="nurse",
        posting_ids=tuple(f"p{at}" for at in range(len(labels))),
        labels=labels,
        soft_labels=tuple(label / 4 for label in labels),
        strata=strata,
    )


def result(
    queries: list[JudgedQuery], logits: list[list[float]], threshold: float | None = 0.5
) -> SystemResult:
    scores = [np.array(row) for row in logits]
    figures = np.array([query_figures(s, q, QUICK.metrics) for s, q in zip(scores, queries, strict=True)])
    return SystemResult(
        name="ranker", settings={}, figures=figures, scores=scores, probable=True, threshold=threshold
    )


def item(text: str) -> Item:
    return Item(title="t", company=None, location=None, employment_type=None, remote=None, text=text)


def test_alerts_of_each_domain_are_counted_at_the_threshold() -> None:
    queries = [query(0, "health"), query(1, "technology"), query(2, "health", "one facet")]
    found = domain_sections(queries, [result(queries, [[2, 1, -1], [3, -1, 2], [1, -1, -1]])], QUICK)
    assert list(found) == ["health", "technology"]
    health = found["health"]["systems"][0]["alerts"]
    assert (health["alerts"], health["right"], health["relevant"]) == (3, 2, 4)
    assert health["precision"] == pytest.approx(2 / 3)
    assert found["technology"]["systems"][0]["alerts"]["precision"] == 1
    assert list(found["health"]["strata"]) == ["one facet"]


def test_a_domain_that_is_missing_is_named() -> None:
    (warning,) = missing([query(0, "health"), query(1, "general")])
    assert "technology" in warning
    assert len(missing([query(0)])) == 3
    assert list(by_domain([query(0)])) == ["all"]


def test_strata_held_out_from_the_teacher_stand_first() -> None:
    names = ["a facet", "unseen facet", "second rules", "unseen occupation", "title only"]
    assert held_out_first(names)[:3] == ["second rules", "unseen facet", "unseen occupation"]


def judgement(posting: str, split: Split, *strata: str) -> Judgement:
    return Judgement(
        query_id="q",
        query="nurse",
        posting_id=posting,
        grades={},
        label=4,
        soft_label=0.9,
        teacher="t",
        policy="p",
        split=split,
        strata=strata,
    )


def test_a_domain_that_is_not_trained_or_not_watched_is_named() -> None:
    rows = [
        judgement("a", "train", "health"),
        judgement("b", "train", "general"),
        judgement("c", "dev", "health"),
    ]
    untrained, unwatched = untaught(rows)
    assert "no training pair of the domain technology" in untrained
    assert "no dev query of the domain general" in unwatched
    assert untaught([judgement("a", "train", "my own stratum")]) == []


def test_a_posting_judged_in_two_splits_is_named(tmp_path: Path) -> None:
    rows = [
        {"query": "nurse", "items": [{"id": "p1", "grade": 4}], "split": name} for name in ("train", "test")
    ]
    rows.append({"query": "cook", "items": [{"id": "p2", "grade": 4}], "split": "test"})
    path = tmp_path / "judged.jsonl"
    path.write_text("".join(json.dumps(row | {"query_id": f"q{at}"}) + "\n" for at, row in enumerate(rows)))
    (warning,) = shared_postings(path)
    assert "posting p1 is judged in the splits train and test, 1 postings" in warning
    path.write_text(json.dumps(rows[0]) + "\n")
    assert shared_postings(path) == []


def test_a_threshold_that_no_score_reaches_is_named() -> None:
    queries = [query(0)]
    (warning,) = unreached(queries, [result(queries, [[0.0, 0.0, 0.1]], threshold=0.9)])
    assert "0.9" in warning
    assert unreached(queries, [result(queries, [[0.0, 0.0, 3.0]], threshold=0.9)]) == []


def test_a_threshold_that_one_domain_alone_does_not_reach_is_named_with_the_domain() -> None:
    queries = [query(0, "health"), query(1, "general")]
    (warning,) = unreached(queries, [result(queries, [[0.0, 0.0, 3.0], [0.0, 0.1, 0.0]], threshold=0.9)])
    assert "no score of ranker in general reaches the threshold 0.9" in warning


def test_the_least_threshold_holds_in_every_domain() -> None:
    scores = np.linspace(0.01, 0.99, 200)
    found, told = least_threshold({"health": (scores, scores > 0.5), "general": (scores, scores > 0.7)}, 0.9)
    assert told == []
    assert found is not None
    assert (
        alerts(scores, scores > 0.7, found).precision
        >= 0.9
        > alerts(scores, scores > 0.7, found - 0.005).precision
    )


def test_a_domain_without_such_a_threshold_is_named_with_its_best() -> None:
    scores = np.linspace(0.01, 0.99, 200)
    even = np.arange(200) % 2 == 0
    found, told = least_threshold({"health": (scores, scores > 0.5), "general": (scores, even)}, 0.9)
    assert found is None
    assert any("no threshold gives general precision 0.9" in line for line in told)
    few, _ = least_threshold({"all": (scores[: LEAST_ALERTS - 1], even[: LEAST_ALERTS - 1])}, 0.1)
    assert few is None


def test_postings_in_other_languages_are_counted_and_ranked_among_themselves() -> None:
    assert is_english(item(ENGLISH))
    assert not is_english(item(GERMAN))
    assert is_english(item("kurz"))
    queries = [query(0), query(1, labels=(4, 0, 0))]
    items = {"p0": item(GERMAN), "p1": item(GERMAN), "p2": item(ENGLISH)}
    found = other_languages(queries, [result(queries, [[1, 2, 9], [2, 1, 0]])], items, QUICK)
    assert (found["postings"], found["pairs"], found["queries"]) == (2, 4, 2)
    assert found["systems"][0]["ndcg"]["mean"] == pytest.approx((1 / np.log2(3) + 1) / 2)
    assert other_languages(queries, [], dict.fromkeys(items, item(ENGLISH)), QUICK) == {}
