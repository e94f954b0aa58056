"""The reward: equations (4) to (6) by hand, length in the advantage, and rankers that fail."""

from typing import Literal

import numpy as np
import pytest
import torch

from models.divergence import binary_kl
from schemas.errors import ModelUnavailable
from tests.training.rl.world import WordScorer, count, source
from training.rl.algorithms import open_algorithm
from training.rl.config import AlgorithmName, RewardConfig, RlConfig
from training.rl.penalties import p1, p2, penalty
from training.rl.queries import Search
from training.rl.reward import GroupReward, Reward

SEARCHES = (
    Search(query="engineer python", kind="facet"),
    Search(query="night shifts", kind="words"),
    Search(query="nurse", kind="strange"),
)
SUMMARIES = ["python and kafka", "free parking", "", "python and kafka; night shifts"]


def reward(scorer: WordScorer, config: RewardConfig | None = None) -> Reward:
    return Reward(scorer, count, lambda _: SEARCHES, config or RewardConfig(), sleep=lambda _: None)


def rewarded(config: RewardConfig) -> GroupReward:
    (found,) = reward(WordScorer(), config).of([source()], [SUMMARIES])
    assert found is not None
    return found


def test_the_agreement_is_minus_the_mean_kl_to_the_raw_text_by_hand() -> None:
    found = rewarded(RewardConfig(w=0.0))
    raw, short = [0.98, 0.98, 0.02], [0.98, 0.02, 0.02]
    by_hand = np.mean(
        [p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)) for p, q in zip(short, raw, strict=True)]
    )
    assert found.agreement[0] == pytest.approx(-by_hand)
    assert found.agreement[3] == pytest.approx(0.0, abs=1e-9)
    assert found.total == pytest.approx(found.agreement)


def test_kl_is_finite_and_not_negative_for_any_logits() -> None:
    logits = np.array([-1e4, -30.0, 0.0, 1e-9, 30.0, 1e4])
    found = binary_kl(logits[:, None], logits[None, :])
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    assert np.diag(found) == pytest.approx(0.0)


def test_p1_and_p2_are_equations_5_and_6() -> None:
    config, lengths = RewardConfig(w=0.4, m=256, tau=1 / 3), np.array([0.0, 100.0, 200.0, 300.0])
    assert p1(300, lengths, config) == pytest.approx([0, 0, -0.4 * 0.25, -0.4])
    assert p1(255, lengths, config) == pytest.approx([0, 0, 0, 0])
    assert p2(300, lengths, config) == pytest.approx(-0.4 * (lengths / 300) ** 2)


def test_behind_the_gate_no_summary_gains_by_being_short() -> None:
    config = RewardConfig(w=0.4, gate=0.1)
    found = penalty(100, np.array([1.0, 10.0]), np.array([0.5, 0.05]), config)
    assert found == pytest.approx([-0.4, -0.004])


@pytest.mark.parametrize("name", ["grpo", "dr_grpo", "gspo"])
@pytest.mark.parametrize("rule", ["p1", "p2"])
def test_the_length_term_changes_the_advantage(name: AlgorithmName, rule: Literal["p1", "p2"]) -> None:
    algorithm = open_algorithm(RlConfig(algorithm=name))
    without, with_it = (rewarded(RewardConfig(w=w, m=1, tau=0.1, penalty=rule)) for w in (0.0, 4.0))
    advantages = [algorithm.advantages(torch.from_numpy(r.total)[None]) for r in (without, with_it)]
    assert float((advantages[0] - advantages[1]).abs().max()) > 0.01


def test_the_grade_counts_where_there_is_one_and_is_asked_for() -> None:
    graded = (*SEARCHES, Search(query="engineer kafka", kind="graded", soft_label=0.98))
    for weight, counts in ((0.0, False), (1.0, True)):
        made = Reward(
            WordScorer(), count, lambda _: graded, RewardConfig(grade_weight=weight), sleep=lambda _: None
        )
        (found,) = made.of([source()], [SUMMARIES])
        assert found is not None
        assert bool(found.grade[1] < found.grade[0]) is counts
        assert bool(found.grade.any()) is counts


def test_raw_scores_are_computed_once_and_equal_summaries_once() -> None:
    scorer = WordScorer()
    made = reward(scorer)
    made.of([source()], [["python", "python", "kafka"]])
    assert scorer.items == len(SEARCHES) * (1 + 2)
    made.of([source()], [["team"]])
    assert scorer.items == len(SEARCHES) * (1 + 2 + 1)


def test_a_ranker_that_fails_once_is_asked_again() -> None:
    for wrong in (ModelUnavailable("down"), float("nan")):
        made = reward(WordScorer([wrong]))
        (found,) = made.of([source()], [SUMMARIES])
        assert found is not None
        assert (made.retries, made.lost) == (1, 0)


def test_a_reward_that_cannot_be_computed_is_counted_and_past_the_bound_ends_the_run() -> None:
    made = reward(WordScorer([float("nan")] * 99), RewardConfig(attempts=2, most_lost=2))
    assert made.of([source(0), source(1)], [SUMMARIES, SUMMARIES]) == [None, None]
    assert made.lost == 2
    with pytest.raises(ModelUnavailable, match="most_lost"):
        made.of([source(2)], [SUMMARIES])
