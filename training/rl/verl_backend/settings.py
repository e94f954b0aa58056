"""The configuration of a run on verl: what each of our settings is called there.

The names are those of verl 0.9.1. Three of its defaults would change the algorithm without a word: GSPO's aggregation,
Dr. GRPO's divisor, and a mini-batch as large as the batch, with which every ratio is 1.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import ConfigError
from training.rl.algorithms import DrGrpo, Grpo, Gspo
from training.rl.config import RlConfig

CLASSES: Mapping[str, type] = {"grpo": Grpo, "dr_grpo": DrGrpo, "gspo": Gspo}
LOSSES: Mapping[str, Mapping[str, Any]] = {
    "grpo": {"loss_mode": "vanilla", "loss_agg_mode": "seq-mean-token-mean"},
    "dr_grpo": {"loss_mode": "vanilla", "loss_agg_mode": "seq-mean-token-sum-norm"},
    "gspo": {"loss_mode": "gspo", "loss_agg_mode": "seq-mean-token-mean"},
}
TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
"""A chat template that adds nothing: the prompt of training is the prompt of serving."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """Where verl runs: `gpus` on each of `nodes`, and on how many of them one copy of the rollout's model is spread."""

    gpus: int = 8
    nodes: int = 1
    rollout_gpus: int = 1


def verl_settings(
    config: RlConfig, model: Path, out: Path, machines: Machines, *, prompt_tokens: int
) -> dict[str, Any]:
    """Settings of verl by section, for a file that builds on its `ppo_trainer`; ConfigError for what verl refuses.

    `prompt_tokens`: of the longest prompt in the data.
    """
    _check(config, machines)
    return {
        "algorithm": {
            "adv_estimator": "grpo",
            "norm_adv_by_std_in_grpo": config.algorithm != "dr_grpo",
            "use_kl_in_reward": False,
        },
        "data": _data(config, out, prompt_tokens),
        "actor_rollout_ref": {
            "model": {"path": str(model), "custom_chat_template": TEMPLATE},
            "actor": _actor(config),
            "rollout": _rollout(config, machines),
            "ref": {"log_prob_micro_batch_size_per_gpu": MICRO_BATCH},
        },
        "reward": {"custom_reward_function": {"path": str(out / "reward.py"), "name": "compute_score"}},
        "trainer": _trainer(config, out, machines),
    }


MICRO_BATCH = 8
"""Samples of one forward pass on a GPU."""


def _check(config: RlConfig, machines: Machines) -> None:
    if config.actor != "generative":
        raise ConfigError(
            "--backend verl trains a generative actor: take --recipe rl_generative or --set actor=generative"
        )
    if config.postings % config.updates:
        raise ConfigError(
            f"verl needs postings ({config.postings}) to be a multiple of updates ({config.updates})"
        )
    if config.updates == 1 and config.passes == 1:
        raise ConfigError("updates=1 and passes=1 make every ratio 1: set updates to at least 2")
    if config.postings * config.group % (machines.gpus * machines.nodes):
        raise ConfigError(
            f"postings x group ({config.postings} x {config.group}) must be a multiple of all GPUs "
            f"({machines.gpus * machines.nodes})"
        )


def _data(config: RlConfig, out: Path, prompt_tokens: int) -> dict[str, Any]:
    return {
        "train_files": str(out / "train.parquet"),
        "val_files": str(out / "dev.parquet"),
        "train_batch_size": config.postings,
        "max_prompt_length": math.ceil((prompt_tokens + 1) / 64) * 64,
        "max_response_length": config.max_tokens,
        "truncation": "error",
        "shuffle": False,  # the file is in the order of the steps
    }


def _actor(config: RlConfig) -> dict[str, Any]:
    own, losses = CLASSES[config.algorithm], LOSSES[config.algorithm]
    kl = _own(own, "kl_weight") if config.kl_weight is None else config.kl_weight
    return {
        "ppo_mini_batch_size": config.postings // config.updates,
        "ppo_micro_batch_size_per_gpu": MICRO_BATCH,
        "ppo_epochs": config.passes,
        "clip_ratio_low": _own(own, "clip_low") if config.clip_low is None else config.clip_low,
        "clip_ratio_high": _own(own, "clip_high") if config.clip_high is None else config.clip_high,
        "policy_loss": {"loss_mode": losses["loss_mode"]},
        "loss_agg_mode": losses["loss_agg_mode"],
        "loss_scale_factor": config.longest if config.algorithm == "dr_grpo" else None,
        "use_kl_loss": kl > 0,
        "kl_loss_coef": kl,
        "kl_loss_type": "low_var_kl",
        "entropy_coeff": 0.0,
        "grad_clip": config.clip_norm,
        "optim": {"lr": config.rate, "lr_warmup_steps_ratio": config.warmup, "weight_decay": 0.0},
        "checkpoint": {"save_contents": ["model", "optimizer", "extra", "hf_model"]},
    }


def _rollout(config: RlConfig, machines: Machines) -> dict[str, Any]:
    return {
        "name": "sglang",
        "n": config.group,
        "temperature": config.temperature,
        "top_k": -1,
        "top_p": 1.0,
        "tensor_model_parallel_size": machines.rollout_gpus,
        "log_prob_micro_batch_size_per_gpu": MICRO_BATCH,
        "val_kwargs": {"do_sample": False, "temperature": 0, "n": 1},
    }


def _trainer(config: RlConfig, out: Path, machines: Machines) -> dict[str, Any]:
    return {
        "n_gpus_per_node": machines.gpus,
        "nnodes": machines.nodes,
        "total_epochs": 1,
        "total_training_steps": config.steps,
        "save_freq": config.save_every_steps,
        "test_freq": config.evaluate_every_steps,
        "val_before_train": True,
        "max_actor_ckpt_to_keep": config.keep_last,
        "default_local_dir": str(out / "checkpoints"),
        "rollout_data_dir": str(out / "samples"),
        "validation_data_dir": str(out / "dev"),
        "project_name": "nearline",
        "experiment_name": out.name,
        "logger": ["console", "file"],
        "resume_mode": "auto",
    }


def _own(algorithm: type, name: str) -> float:
    """The algorithm's own value of a setting that the configuration leaves open."""
    return float(inspect.signature(algorithm).parameters[name].default)
