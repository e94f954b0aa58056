import random

import pytest

from benchmarks.engine.paired import ratio


def test_ratios_are_taken_round_by_round_so_that_a_slow_machine_cancels() -> None:
    ours, theirs = [1.0, 10.0, 2.0], [2.0, 20.0, 4.0]
    found = ratio(theirs, ours)
    assert (found.median, found.low, found.high) == (2.0, 2.0, 2.0)


def test_six_rounds_give_their_extremes_as_an_interval_of_97_percent() -> None:
    found = ratio([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0] * 6)
    assert (found.median, found.low, found.high) == (3.5, 1.0, 6.0)
    assert found.confidence == pytest.approx(1 - 2 / 2**6)


def test_twelve_rounds_let_the_extremes_go() -> None:
    found = ratio([float(n) for n in range(1, 13)], [1.0] * 12)
    assert (found.low, found.high) == (3.0, 10.0)
    assert found.confidence >= 0.95


def test_three_rounds_say_how_little_they_are_sure_of() -> None:
    assert ratio([1.0, 2.0, 3.0], [1.0] * 3).confidence == 0.75
    assert ratio([1.0], [2.0]).confidence == 0.0


def test_the_interval_holds_the_true_median_as_often_as_it_says() -> None:
    source = random.Random(1)
    trials = [ratio([source.lognormvariate(0, 1) for _ in range(9)], [1.0] * 9) for _ in range(2000)]
    held = sum(trial.low <= 1.0 <= trial.high for trial in trials) / len(trials)
    assert held == pytest.approx(trials[0].confidence, abs=0.02)


def test_no_rounds_or_unpaired_rounds_are_refused() -> None:
    with pytest.raises(ValueError, match="no rounds"):
        ratio([], [])
    with pytest.raises(ValueError, match="argument 2"):
        ratio([1.0], [])
