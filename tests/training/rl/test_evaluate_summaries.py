"""`nearline evaluate --summaries`: each way to shorten beside raw text, and every two ways in pairs."""

from pathlib import Path

import pytest

from schemas.errors import ConfigError
from tests.training.rl.small_sweep import inputs
from training.evaluation.settings import BootstrapConfig, EvaluationConfig, EvaluationRequest, Tell
from training.rl.evaluate import SummaryRequest, evaluate_summaries, markdown

CONFIG = EvaluationConfig(bootstrap=BootstrapConfig(resamples=200))


def request(folder: Path) -> EvaluationRequest:
    given = inputs(folder)
    return EvaluationRequest(judged=given.judged, postings=given.run.postings, ranker=given.run.ranker)


def begin(_name: str, _total: int) -> Tell:
    return lambda _count: None


def test_the_report_has_lengths_and_every_pair_of_ways(tmp_path: Path) -> None:
    wanted = SummaryRequest(names=("none", "lead", "textrank"), share=0.3)
    report = evaluate_summaries(request(tmp_path), wanted, CONFIG, begin)
    assert [system["name"] for system in report["systems"]] == ["raw", "none", "lead", "textrank"]
    assert [system["summaries"]["saved_p50"] for system in report["systems"][:2]] == [0, 1]
    means = {system["name"]: system["metrics"]["ndcg"]["mean"] for system in report["systems"]}
    assert [(pair["name"], pair["minus"]) for pair in report["pairs"]] == [
        ("lead", "none"),
        ("textrank", "none"),
        ("textrank", "lead"),
    ]
    for pair in report["pairs"]:
        assert pair["ndcg"]["mean"] == pytest.approx(means[pair["name"]] - means[pair["minus"]])
        assert pair["ndcg"]["low"] <= pair["ndcg"]["mean"] <= pair["ndcg"]["high"]
    page = markdown(report)
    assert "| textrank minus lead | " in page


def test_one_way_alone_has_no_pairs(tmp_path: Path) -> None:
    report = evaluate_summaries(request(tmp_path), SummaryRequest(names=("lead",)), CONFIG, begin)
    assert report["pairs"] == []
    assert "difference" not in markdown(report)


def test_a_way_that_is_unknown_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--summaries 'leed': neither one of none"):
        evaluate_summaries(request(tmp_path), SummaryRequest(names=("leed",)), CONFIG, begin)
