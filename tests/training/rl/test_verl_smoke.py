"""verl's own `main_ppo` takes a few steps on a CPU with our configuration, data and reward: `make verl-smoke`."""

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from models.engine.checkpoint_engine import CheckpointEngine, EngineConfig
from nearline.cli.options import CHECKPOINTS
from tests.models.running import serving
from tests.support.tiny import byte_level_tokenizer, write_checkpoint
from training.evaluation.settings import RankerPlace
from training.rl.baselines.models import open_summarizer_dir
from training.rl.config import RewardConfig, RlConfig
from training.rl.run import RlInputs
from training.rl.verl_backend.settings import Machines
from training.rl.verl_backend.write import write_run

ENVIRONMENT = Path(".envs/verl/bin/python")
pytestmark = [
    pytest.mark.verl,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not ENVIRONMENT.exists(), reason="no .envs/verl here: run `make verl-env`"),
]
SMALL = RlConfig(
    actor="generative",
    algorithm="gspo",
    steps=2,
    postings=2,
    group=4,
    updates=2,
    queries=2,
    rate=1e-3,
    max_tokens=8,
    dev_postings=2,
    evaluate_every_steps=2,
    save_every_steps=2,
    reward=RewardConfig(w=0.4),
)
ON_CPU = {
    "actor_rollout_ref.rollout.name": "hf",
    "actor_rollout_ref.rollout.agent.num_workers": 1,
    "actor_rollout_ref.rollout.free_cache_engine": False,
    "actor_rollout_ref.actor.strategy": "fsdp2",
    "actor_rollout_ref.ref.strategy": "fsdp2",
    "critic.strategy": "fsdp2",
    "actor_rollout_ref.actor.use_torch_compile": False,
    "actor_rollout_ref.actor.fsdp_config.use_torch_compile": False,
    "actor_rollout_ref.model.use_remove_padding": False,
    "actor_rollout_ref.model.enable_gradient_checkpointing": False,
    "+actor_rollout_ref.model.override_config.attn_implementation": "sdpa",
    "reward.num_workers": 1,
    "data.dataloader_num_workers": 0,
    "transfer_queue.backend.SimpleStorage.num_data_storage_units": 1,
    "trainer.device": "cpu",
    "+ray_kwargs.ray_init.num_gpus": 1,
    "ray_kwargs.ray_init.num_cpus": 6,
    "+ray_kwargs.ray_init.include_dashboard": False,
}


def postings(path: Path) -> Path:
    """Postings of many companies whose texts share few words, so that all splits get some."""
    trades, rng = ("Nurse", "Welder", "Python developer", "Baker"), Random(1)
    words = [
        a + b for a in ("nor", "sil", "tam", "ver", "kol", "bri") for b in ("den", "mo", "tar", "lix", "sug")
    ]
    rows = [
        {
            "id": f"p{n}",
            "title": trades[n % 4],
            "company": f"Company {n}",
            "description": f"{trades[n % 4]} wanted: " + " ".join(rng.choice(words) for _ in range(30)),
        }
        for n in range(60)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def started(run: Path, home: str) -> subprocess.CompletedProcess[bytes]:
    env = {
        **os.environ,
        "PYTHONPATH": str(Path("tests/training/rl/verl_on_cpu").resolve()),
        "VERL_USE_EXTERNAL_MODULES": "verl_cpu",
        "VERL_PLATFORM": "cpu",
        "VERL_ENGINE_DEVICE": "cuda",
        "RAY_TMPDIR": home,
        "HYDRA_FULL_ERROR": "1",
    }
    overrides = [f"{name}={value}" for name, value in ON_CPU.items()]
    argv = [str(ENVIRONMENT), "-m", "training.rl.verl_backend.launch", str(run), *overrides]
    with (run / "log.txt").open("wb") as log:
        return subprocess.run(argv, env=env, stdout=log, stderr=subprocess.STDOUT, check=False)


def lines(run: Path) -> list[dict[str, Any]]:
    (file,) = run.glob("metrics-*.jsonl")
    return [json.loads(line)["data"] for line in file.read_text().splitlines()]


def test_main_ppo_takes_steps_and_leaves_a_summarizer_that_is_served(tmp_path: Path) -> None:
    model = write_checkpoint(tmp_path / "model", byte_level_tokenizer())
    tokens = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    fast = {"tokenizer_class": "PreTrainedTokenizerFast", **tokens}
    (model / "tokenizer_config.json").write_text(json.dumps(fast))
    ranker = CHECKPOINTS / "ranker-tiny"
    with serving(CheckpointEngine(ranker, EngineConfig(role="ranker"))) as url:
        given = RlInputs(
            model=model,
            ranker=RankerPlace(name=url, tokenizer=ranker),
            postings=(postings(tmp_path / "postings.jsonl"),),
        )
        run = tmp_path / "run"
        write_run(SMALL, given, run, Machines(gpus=1))
        with TemporaryDirectory(prefix="ray") as home:  # sockets need a short path
            found = started(run, home)
    assert found.returncode == 0, (run / "log.txt").read_text(errors="replace")[-6000:]
    steps = [line for line in lines(run) if "actor/pg_loss" in line]
    assert len(steps) == SMALL.steps
    for step in steps:
        assert step["critic/rewards/mean"] < 0
        assert step["actor/ppo_kl"] != 0  # two updates a rollout: ratios differ from 1
    assert not (run / "lost.jsonl").exists()
    samples = [json.loads(line) for file in (run / "samples").glob("*.jsonl") for line in file.open()]
    assert len(samples) == SMALL.steps * SMALL.postings * SMALL.group
    assert all(abs(one["score"] - one["agreement"] - one["grade"] - one["penalty"]) < 1e-6 for one in samples)
    served = run / "checkpoints" / "global_step_2" / "actor" / "huggingface"
    assert open_summarizer_dir(served)
    print((run / "log.txt").read_text(errors="replace")[-2000:], file=sys.stderr)
