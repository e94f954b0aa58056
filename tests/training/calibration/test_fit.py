"""Curves fitted on invented pairs whose true probabilities are known."""

import numpy as np
import pytest

from models.calibration import Calibration
from schemas.errors import ConfigError
from training.calibration.fit import METHODS, Labelled
from training.calibration.run import DomainPairs, fitted
from training.calibration.settings import CalibrationRun
from training.evaluation.probabilities import sigmoid

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 2, 8_000)
TRUE = sigmoid(0.6 * LOGITS - 1)
RELEVANT = RNG.random(8_000) < TRUE


def run_of(method: str) -> CalibrationRun:
    return CalibrationRun(ranker=None, judged=(), postings=(), method=method)  # type: ignore[arg-type]


def domain(shift: float = 0.0) -> DomainPairs:
    return DomainPairs(logits=LOGITS + shift, relevant=RELEVANT, half=np.arange(8_000) // 100 % 2)


@pytest.mark.parametrize("method", METHODS)
def test_a_curve_finds_the_true_probabilities(method: str) -> None:
    knots = METHODS[method](Labelled(logits=LOGITS, relevant=RELEVANT, weights=np.ones(8_000)))
    curve = Calibration(knots=knots)
    found = sigmoid(np.array([curve.logit(x) for x in LOGITS]))
    assert np.abs(found - TRUE).mean() < 0.025
    assert np.array_equal(np.argsort(found, kind="stable"), np.argsort(LOGITS, kind="stable"))


def test_scores_that_say_the_opposite_are_refused() -> None:
    with pytest.raises(ConfigError, match="nothing to calibrate"):
        METHODS["platt"](Labelled(logits=-LOGITS, relevant=RELEVANT, weights=np.ones(8_000)))


@pytest.mark.parametrize("method", METHODS)
def test_figures_and_threshold_come_with_the_curve(method: str) -> None:
    found, told = fitted({"health": domain()}, run_of(method))
    figures = found.fitted["domains"]["health"]
    assert figures["ece"] < 0.03 < figures["ece_uncalibrated"]
    assert found.threshold is not None
    assert figures["precision"] >= 0.9
    assert not told


def test_a_domain_that_the_common_curve_does_not_fit_is_named() -> None:
    found, told = fitted({"health": domain(), "general": domain(3.0)}, run_of("isotonic"))
    assert any("calibration error" in line and "general" in line for line in told)
    assert found.fitted["domains"]["general"]["ece"] > 0.04
