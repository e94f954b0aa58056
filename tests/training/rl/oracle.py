"""Losses, gradients and advantages of verl 0.9.1 and TRL 1.16.0 on fixed tensors: run in their environment.

`make rl-oracle` makes the environment and writes tests/training/rl/fixtures/losses.json.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

POSTINGS, GROUP, ACTIONS, LONGEST = 2, 4, 6, 16
CLIPS = {"grpo": (0.2, 0.2), "dr_grpo": (0.2, 0.2), "gspo": (3e-4, 4e-4)}
KL_WEIGHT = 0.05
SPREADS = {"near": 0.002, "far": 0.4, "farthest": 1.5}
"""By case, how far the policies are apart; in the last one ratios pass the bound of the dual clip, which TRL lacks."""


def tensors(spread: float) -> dict[str, torch.Tensor]:
    """Fixed log-probabilities of three policies, a mask of different lengths, and rewards."""
    rng = np.random.default_rng(7)
    count = POSTINGS * GROUP
    old = -rng.exponential(0.7, (count, ACTIONS))
    lengths = rng.integers(1, ACTIONS + 1, count)
    return {
        "old": torch.tensor(old),
        "new": torch.tensor(old + rng.normal(0, spread, old.shape)),
        "start": torch.tensor(old + rng.normal(0, spread, old.shape)),
        "mask": torch.tensor((np.arange(ACTIONS) < lengths[:, None]).astype(np.float64)),
        "rewards": torch.tensor(rng.normal(-0.2, 0.1, (POSTINGS, GROUP))),
    }


def verl(name: str, given: dict[str, torch.Tensor]) -> dict[str, Any]:
    """verl's advantages, loss and gradient."""
    from verl.trainer.ppo import core_algos
    from verl.workers.config import ActorConfig

    low, high = CLIPS[name]
    mode = "seq-mean-token-sum-norm" if name == "dr_grpo" else "seq-mean-token-mean"
    config = ActorConfig(
        strategy="fsdp", rollout_n=1, ppo_micro_batch_size_per_gpu=1, clip_ratio_low=low, clip_ratio_high=high
    )
    config.global_batch_info["loss_scale_factor"] = LONGEST
    rewards = torch.zeros_like(given["mask"])
    rewards[:, 0] = given["rewards"].flatten()
    index = np.repeat(np.arange(POSTINGS), GROUP)
    advantages, _ = core_algos.compute_grpo_outcome_advantage(
        rewards, torch.ones_like(given["mask"]), index, norm_adv_by_std_in_grpo=name != "dr_grpo"
    )
    new = given["new"].clone().requires_grad_()
    loss_of = core_algos.get_policy_loss_fn("gspo" if name == "gspo" else "vanilla")
    loss, _ = loss_of(given["old"], new, advantages, given["mask"], mode, config)
    if name == "grpo":
        kl = core_algos.kl_penalty(new, given["start"], "low_var_kl")
        loss = loss + KL_WEIGHT * core_algos.agg_loss(kl, given["mask"], mode, **config.global_batch_info)
    loss.backward()
    return {"advantages": advantages[:, 0].tolist(), "loss": float(loss), "gradient": _gradient(new)}


def _gradient(weight: torch.Tensor) -> Any:
    assert weight.grad is not None
    return weight.grad.tolist()


def trl(name: str, given: dict[str, torch.Tensor], advantages: list[float]) -> dict[str, Any]:
    """TRL's loss and gradient by the same advantages."""
    from trl.trainer.grpo_trainer import GRPOTrainer

    low, high = CLIPS[name]
    new = given["new"].clone().requires_grad_()
    trainer = SimpleNamespace(
        args=SimpleNamespace(delta=None, use_bias_correction_kl=False),
        accelerator=SimpleNamespace(num_processes=1, gather=lambda x: x, reduce=lambda x, **_: x),
        model=SimpleNamespace(training=True),
        current_gradient_accumulation_steps=1,
        off_policy_mask_threshold=None,
        aux_loss_enabled=False,
        _entropy_bonus_enabled=False,
        top_entropy_quantile=1.0,
        importance_sampling_level="sequence" if name == "gspo" else "token",
        beta=KL_WEIGHT if name == "grpo" else 0.0,
        loss_type="dr_grpo" if name == "dr_grpo" else "grpo",
        epsilon_low=low,
        epsilon_high=high,
        use_vllm=False,
        max_completion_length=LONGEST,
        _metrics={"train": defaultdict(list)},
        _get_per_token_logps_and_entropies=lambda *_, **__: (new, torch.zeros_like(new), None),
    )
    ids = torch.zeros(given["mask"].shape, dtype=torch.long)
    inputs = {
        "prompt_ids": ids[:, :1],
        "prompt_mask": torch.ones_like(ids[:, :1]),
        "completion_ids": ids,
        "completion_mask": given["mask"],
        "advantages": torch.tensor(advantages, dtype=torch.float64),
        "old_per_token_logps": given["old"],
        "ref_per_token_logps": given["start"],
    }
    loss = GRPOTrainer._compute_loss(trainer, None, inputs)
    loss.backward()
    return {"loss": float(loss), "gradient": _gradient(new)}


def main(out: Path) -> None:
    """Write all cases."""
    cases = []
    for spread_name, spread in SPREADS.items():
        given = tensors(spread)
        for name, clips in CLIPS.items():
            found = {"verl": verl(name, given)}
            if spread_name != "farthest" or name == "gspo":
                found["trl"] = trl(name, given, found["verl"]["advantages"])
            cases.append(
                {"algorithm": name, "case": spread_name, "clips": clips, **found}
                | {key: value.tolist() for key, value in given.items()}
            )
    document = {"verl": "0.9.1", "trl": "1.16.0", "longest": LONGEST, "kl_weight": KL_WEIGHT, "cases": cases}
    out.write_text(json.dumps(document) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
