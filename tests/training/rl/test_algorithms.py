"""GRPO, Dr. GRPO and GSPO against verl's and TRL's own numbers, and what each does with length and deviation."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from training.rl.algorithms import Algorithm, Judged, open_algorithm
from training.rl.config import RlConfig

ORACLE: dict[str, Any] = json.loads((Path(__file__).parent / "fixtures" / "losses.json").read_text())
CASES = [pytest.param(case, id=f"{case['algorithm']}-{case['case']}") for case in ORACLE["cases"]]


def tensor(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def algorithm(name: str, clips: tuple[float, float]) -> Algorithm:
    weight = ORACLE["kl_weight"] if name == "grpo" else 0.0
    config = RlConfig(
        algorithm=name,  # type: ignore[arg-type]
        clip_low=clips[0],
        clip_high=clips[1],
        kl_weight=weight,
        longest=ORACLE["longest"],
    )
    return open_algorithm(config)


@pytest.mark.parametrize("case", CASES)
def test_advantages_loss_and_gradient_are_those_of_verl_and_trl(case: dict[str, Any]) -> None:
    made = algorithm(case["algorithm"], case["clips"])
    advantages = made.advantages(tensor(case["rewards"])).flatten()
    torch.testing.assert_close(advantages, tensor(case["verl"]["advantages"]), rtol=1e-9, atol=1e-9)
    oracles = [name for name in ("verl", "trl") if name in case]
    assert "verl" in oracles
    for oracle in oracles:
        new = tensor(case["new"]).requires_grad_()
        judged = Judged(
            new=new,
            old=tensor(case["old"]),
            start=tensor(case["start"]),
            mask=tensor(case["mask"]).bool(),
            advantages=advantages,
        )
        loss = made.loss(judged)
        loss.value.backward()  # type: ignore[no-untyped-call]
        assert float(loss.value.detach()) == pytest.approx(case[oracle]["loss"], rel=1e-6, abs=1e-9)
        torch.testing.assert_close(new.grad, tensor(case[oracle]["gradient"]), rtol=1e-6, atol=1e-9)


def test_the_cases_have_clipped_and_unclipped_actions() -> None:
    found = []
    for case in ORACLE["cases"]:
        made = algorithm(case["algorithm"], case["clips"])
        judged = Judged(
            new=tensor(case["new"]),
            old=tensor(case["old"]),
            start=tensor(case["start"]),
            mask=tensor(case["mask"]).bool(),
            advantages=tensor(case["verl"]["advantages"]),
        )
        found.append(made.loss(judged))
    assert any(loss.clipped > 0.2 for loss in found)
    assert any(loss.clipped == 0 for loss in found)
    assert all(loss.ratio > 1e-4 for loss in found)


def test_a_group_of_equal_rewards_moves_nothing() -> None:
    for name, clips in (("grpo", (0.2, 0.2)), ("dr_grpo", (0.2, 0.2)), ("gspo", (3e-4, 4e-4))):
        found = algorithm(name, clips).advantages(torch.full((2, 4), -0.3, dtype=torch.float64))
        assert float(found.abs().max()) < 1e-9
