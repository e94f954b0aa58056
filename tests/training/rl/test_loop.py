"""The loop with a linear actor: it learns, ratios differ from 1, it resumes bit by bit, a lost ranker ends it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import ConfigError, ModelUnavailable
from tests.training.rl.world import LinearActor, WordScorer, count, posting
from training.components.run_directory import RunDirectory
from training.components.stopping import Stop
from training.rl import curves
from training.rl.algorithms import open_algorithm
from training.rl.config import AlgorithmName, RewardConfig, RlConfig, check, override
from training.rl.loop import Draw, Rl, RlData, RlResult
from training.rl.order import step_postings
from training.rl.queries import Search
from training.rl.reward import Reward

SMALL = RlConfig(
    steps=8,
    postings=4,
    group=6,
    updates=2,
    rate=0.1,
    evaluate_every_steps=4,
    save_every_steps=4,
    dev_postings=2,
)
SEARCHES = (Search(query="python kafka", kind="facet"), Search(query="night shifts", kind="words"))


def no_curves(*_: object) -> None:
    """Matplotlib takes longer than the rest of a run."""


def trained(
    out: Path,
    config: RlConfig = SMALL,
    *,
    stop_after: int | None = None,
    scorer: WordScorer | None = None,
    draw: Draw = no_curves,
) -> tuple[RlResult, LinearActor]:
    stop, actor, run = Stop(), LinearActor(), RunDirectory(out)
    if not run.started:
        run.start({})
    reward = Reward(scorer or WordScorer(), count, lambda _: SEARCHES, config.reward, sleep=lambda _: None)
    data = RlData(train=[posting(n) for n in range(7)], dev=[posting(n) for n in range(10, 12)])

    def watch(metrics: Any, total: int) -> None:
        del total
        stop.signal = 15 if metrics.step == stop_after else stop.signal

    rl = Rl(config, data, actor, open_algorithm(config), reward, run, stop=stop, watch=watch, draw=draw)
    checkpoints = run.checkpoints()
    return rl.train(checkpoints[-1] if checkpoints else None), actor


def lines(out: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if not key.endswith("_s")} for row in rows]


@pytest.mark.parametrize("name", ["grpo", "dr_grpo", "gspo"])
def test_phrases_that_the_ranker_needs_gain_weight(tmp_path: Path, name: AlgorithmName) -> None:
    config = replace(
        SMALL,
        algorithm=name,
        steps=30,
        reward=RewardConfig(w=2.0),
        clip_low=0.2,
        clip_high=0.2,
        evaluate_every_steps=10,
        save_every_steps=1000,
    )
    result, actor = trained(tmp_path / "run", config)
    weights = actor.weights.tolist()
    assert min(weights[1], weights[3]) > max(weights[0], weights[2], weights[4], weights[5])
    assert result.best_kl < result.start_kl
    assert json.loads((tmp_path / "run" / "best" / "weights.json").read_text())


def test_ratios_differ_from_1_only_with_several_updates_a_step(tmp_path: Path) -> None:
    trained(tmp_path / "two")
    trained(tmp_path / "one", replace(SMALL, updates=1))
    assert all(line["ratio"] > 1e-4 for line in lines(tmp_path / "two")[2:])
    assert all(line["ratio"] < 1e-6 for line in lines(tmp_path / "one")[1:])


def test_a_resumed_run_repeats_the_uninterrupted_one_bit_by_bit(tmp_path: Path) -> None:
    whole, actor = trained(tmp_path / "whole")
    stopped, _ = trained(tmp_path / "cut", stop_after=3)
    assert (stopped.ended, stopped.steps) == ("stopped", 3)
    again, other = trained(tmp_path / "cut")
    assert again.ended == whole.ended == "whole"
    assert lines(tmp_path / "cut") == lines(tmp_path / "whole")
    assert other.weights.tolist() == actor.weights.tolist()


def test_the_run_directory_has_curves_and_summaries_before_and_after(tmp_path: Path) -> None:
    trained(tmp_path / "run", replace(SMALL, save_every_steps=8), draw=curves.draw)
    assert (tmp_path / "run" / "curves.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "run" / "samples.md").read_text()
    assert "- start: " in page
    assert "- step 8: " in page
    assert {"empty", "copied", "stuffed", "off_language"} == set(lines(tmp_path / "run")[1]["guards"])


def test_a_ranker_that_stays_away_ends_the_run_with_all_steps_saved(tmp_path: Path) -> None:
    class Dying(WordScorer):
        def differences(self, asked: Any) -> Any:
            if self.calls >= 4:
                raise ModelUnavailable("down")
            return super().differences(asked)

    config = replace(SMALL, reward=RewardConfig(attempts=2, most_lost=5))
    with pytest.raises(ModelUnavailable, match="go on with --resume"):
        trained(tmp_path / "run", config, scorer=Dying())
    (saved,) = RunDirectory(tmp_path / "run").checkpoints()
    assert int(saved.name.removeprefix("step-")) >= lines(tmp_path / "run")[-1]["step"] > 0
    result, _ = trained(tmp_path / "run", config)
    assert (result.ended, result.steps) == ("whole", SMALL.steps)


def test_each_posting_is_read_once_an_epoch() -> None:
    found = [row for step in range(7) for row in step_postings(3, 14, step, 4)]
    assert sorted(found[:14]) == sorted(found[14:]) == list(range(14))
    assert found[:14] != found[14:]


def test_settings_are_changed_by_name_and_checked() -> None:
    changed = override(RlConfig(), ["steps=5", "reward.w=2", "algorithm=gspo"])
    assert (changed.steps, changed.reward.w, changed.algorithm) == (5, 2.0, "gspo")
    for wrong in ("reward.wight=2", "steps=x", "algorithm=ppo", "reward=1"):
        with pytest.raises(ConfigError, match=wrong.partition("=")[0]):
            override(RlConfig(), [wrong])
    for bad in (replace(RlConfig(), updates=9), replace(RlConfig(), share=0.0), replace(RlConfig(), group=1)):
        with pytest.raises(ConfigError):
            check(bad)
