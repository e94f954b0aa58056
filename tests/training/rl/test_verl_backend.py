"""A run on verl: its configuration says what ours says, its rows hold what a reward needs, its launcher ends it."""

import asyncio
import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.errors import ConfigError, ModelUnavailable
from tests.support.tiny import byte_level_tokenizer, write_checkpoint
from tests.training.rl.world import WordScorer, count, posting, source
from training.evaluation.settings import RankerPlace
from training.rl.config import AlgorithmName, RewardConfig, RlConfig, recipe
from training.rl.queries import Search
from training.rl.reward import Reward
from training.rl.run import RlInputs
from training.rl.verl_backend import launch
from training.rl.verl_backend.rows import RewardRow, reward_row, verl_row
from training.rl.verl_backend.scoring import RewardPlace, VerlReward, read_place
from training.rl.verl_backend.settings import Machines, verl_settings
from training.rl.verl_backend.write import VERSIONS, write_run

SMALL = RlConfig(
    actor="generative", algorithm="gspo", steps=3, postings=4, group=4, updates=2, queries=2, dev_postings=2
)
OUT, MODEL = Path("run"), Path("model")
SEARCHES = (
    Search(query="python kafka", kind="facet"),
    Search(query="night shifts", kind="graded", soft_label=0.9),
)


def settings(config: RlConfig, machines: Machines | None = None) -> dict[str, Any]:
    return verl_settings(config, MODEL, OUT, machines or Machines(gpus=1), prompt_tokens=300)


@pytest.mark.parametrize(
    ("name", "loss", "aggregation", "by_deviation", "clips", "divisor"),
    [
        ("grpo", "vanilla", "seq-mean-token-mean", True, (0.2, 0.2), None),
        ("dr_grpo", "vanilla", "seq-mean-token-sum-norm", False, (0.2, 0.2), 128),
        ("gspo", "gspo", "seq-mean-token-mean", True, (3e-4, 4e-4), None),
    ],
)
def test_each_algorithm_is_what_our_loss_agrees_with(
    name: AlgorithmName,
    loss: str,
    aggregation: str,
    by_deviation: bool,
    clips: tuple[float, float],
    divisor: int | None,
) -> None:
    found = settings(replace(SMALL, algorithm=name))
    actor = found["actor_rollout_ref"]["actor"]
    assert actor["policy_loss"]["loss_mode"] == loss
    assert actor["loss_agg_mode"] == aggregation
    assert found["algorithm"]["norm_adv_by_std_in_grpo"] is by_deviation
    assert (actor["clip_ratio_low"], actor["clip_ratio_high"]) == clips
    assert actor["loss_scale_factor"] == divisor
    assert actor["use_kl_loss"] is (name == "grpo")


def test_several_mini_batches_a_rollout_make_ratios_differ_from_1() -> None:
    found = settings(SMALL)
    assert found["data"]["train_batch_size"] == 4
    assert found["actor_rollout_ref"]["actor"]["ppo_mini_batch_size"] == 2
    with pytest.raises(ConfigError, match="every ratio 1"):
        settings(replace(SMALL, updates=1))


def test_settings_that_verl_refuses_are_refused_before_a_run_is_written() -> None:
    for wrong, named in (
        (replace(SMALL, actor="extractive"), "generative"),
        (replace(SMALL, postings=5), "multiple of updates"),
    ):
        with pytest.raises(ConfigError, match=named):
            settings(wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="all GPUs"):
        settings(SMALL, Machines(gpus=7))
    paper = settings(recipe("rl_generative").config, Machines())
    assert paper["actor_rollout_ref"]["rollout"]["name"] == "sglang"


def row(number: int = 1) -> RewardRow:
    return RewardRow(
        source=replace(source(), posting=posting(number)), searches=SEARCHES, raw_Q=np.array([0.5, -1.0])
    )


def test_a_reward_reads_out_of_a_row_what_was_written_into_it() -> None:
    written = verl_row("the prompt", row(), 7)
    assert written["prompt"] == [{"role": "user", "content": "the prompt"}]
    assert written["extra_info"]["index"] == 7
    read, given = reward_row(written["extra_info"]), row()
    assert (read.source.posting, read.source.text, read.source.tokens) == (
        given.source.posting,
        given.source.text,
        given.source.tokens,
    )
    assert read.searches == SEARCHES
    assert read.raw_Q.tolist() == [0.5, -1.0]


def opened(tmp_path: Path, scorer: WordScorer, config: RewardConfig | None = None) -> VerlReward:
    place = RewardPlace(
        ranker="http://127.0.0.1:1",
        tokenizer="there",
        lost=str(tmp_path / "lost.jsonl"),
        most_lost=2,
        reward=config or RewardConfig(attempts=1, grade_weight=0.3),
    )
    place.write(tmp_path / "reward.json")
    assert read_place(tmp_path / "reward.json") == place
    return VerlReward(place, scorer, count)


def test_the_reward_of_one_summary_is_that_of_a_local_run(tmp_path: Path) -> None:
    config = RewardConfig(grade_weight=0.3)
    local = Reward(WordScorer(), count, lambda _: SEARCHES, config)
    texts = ["python and kafka", "free parking", ""]
    (wanted,) = local.of([row().source], [texts])
    assert wanted is not None
    (raw,) = local.raw([row().source])
    on_verl = opened(tmp_path, WordScorer(), config)
    for at, text in enumerate(texts):
        extra = verl_row("", replace(row(), raw_Q=raw), at)["extra_info"]
        found = asyncio.run(on_verl.score(text, extra))
        assert found["score"] == pytest.approx(float(wanted.total[at]), abs=1e-12)
        assert found["score"] == pytest.approx(found["agreement"] + found["grade"] + found["penalty"])
        assert bool(found["empty"]) is (text == "")


def test_a_summary_without_a_score_raises_and_is_noted(tmp_path: Path) -> None:
    reward = opened(tmp_path, WordScorer(broken=[ModelUnavailable("down"), float("nan")]))
    for _ in range(2):
        with pytest.raises(ModelUnavailable, match="p1"):
            reward.scored("python", row())
    assert (tmp_path / "lost.jsonl").read_text() == '"p1"\n"p1"\n'
    assert reward.scored("python", row())["score"] < 0


def test_raw_scores_are_asked_for_once_and_a_posting_without_is_named() -> None:
    scorer = WordScorer()
    reward = Reward(scorer, count, lambda _: SEARCHES, RewardConfig())
    reward.know(row().source, np.array([0.1, 0.2]))
    reward.of([row().source], [["python"]])
    assert scorer.items == len(SEARCHES)
    lost = Reward(WordScorer(broken=[float("nan")]), count, lambda _: SEARCHES, RewardConfig(attempts=1))
    with pytest.raises(ModelUnavailable, match="raw text of the posting p1"):
        lost.raw([row().source])


def test_the_launcher_ends_a_run_that_lost_too_many_and_hands_on_its_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert threading.current_thread() is threading.main_thread()
    lost = tmp_path / "lost.jsonl"
    lost.write_text("old\n" * 9)

    def script(text: str) -> Any:
        return lambda: subprocess.Popen([sys.executable, "-S", "-c", text])

    assert launch.watched(script("raise SystemExit(3)"), lost, 2, poll_s=0.05) == 3
    assert not lost.exists()
    text = f"import time; open({str(lost)!r}, 'w').write('x\\n' * 3); time.sleep(60)"
    assert launch.watched(script(text), lost, 2, poll_s=0.05, grace_s=5) == 1
    assert "reward.most_lost" in capsys.readouterr().err


def test_the_directory_of_a_run_holds_everything_that_verl_reads(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    model = write_checkpoint(tmp_path / "model", byte_level_tokenizer(), max_position_embeddings=2048)
    postings = tmp_path / "postings.jsonl"
    texts = [" ".join(f"{word}{n}" for word in ("python", "kafka", "night", "remote")) for n in range(40)]
    rows = [
        {"id": f"p{n}", "title": "Engineer", "company": f"c{n}", "description": text}
        for n, text in enumerate(texts)
    ]
    postings.write_text("".join(json.dumps(one) + "\n" for one in rows))
    given = RlInputs(
        model=model, ranker=RankerPlace(name="http://127.0.0.1:1", tokenizer=model), postings=(postings,)
    )
    out = tmp_path / "run"
    written = write_run(SMALL, given, out, Machines(gpus=1), scorer=WordScorer())
    train = pq.read_table(out / "train.parquet").to_pylist()
    assert len(train) == SMALL.steps * SMALL.postings
    assert written == len({one["extra_info"]["posting_id"] for one in train})
    assert train[0]["prompt"][0]["content"].startswith("Summarize the posting")
    assert len(pq.read_table(out / "dev.parquet")) == SMALL.dev_postings
    said = json.loads((out / "verl.yaml").read_text())
    assert said["defaults"] == ["ppo_trainer", "_self_"]
    assert Path(said["data"]["train_files"]) == out / "train.parquet"
    assert (out / "requirements.txt").read_text() == VERSIONS.read_text()
    compile((out / "reward.py").read_text(), "reward.py", "exec")
    with pytest.raises(ConfigError, match="holds a run"):
        write_run(SMALL, given, out, Machines(gpus=1), scorer=WordScorer())
    here = replace(given, ranker=RankerPlace(name=str(model)))
    with pytest.raises(ConfigError, match="give its URL"):
        write_run(SMALL, here, tmp_path / "other", Machines(gpus=1))


def test_versions_are_exact() -> None:
    lines = VERSIONS.read_text().splitlines()
    assert "verl==0.9.1" in lines
    assert all("==" in line for line in lines)
