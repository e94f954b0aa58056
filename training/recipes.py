"""Named recipes: configurations of fine-tuning and pruning runs, in the order in which they are run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from schemas.errors import ConfigError
from training.sft.config import AdapterConfig, SftConfig, SftStage


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneMlp:
    """Remove the share `share` of each MLP's hidden neurons by OSSCAR, calibrated on so many tokens of prompts."""

    share: float
    calibration_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DropBlocks:
    """Remove `count` whole blocks: the `last` ones, or those that a scan finds to cost `least`."""

    count: int
    which: str = "last"


Work = SftConfig | PruneMlp | DropBlocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Works done to a checkpoint, each on the result of the one before."""

    about: str
    works: tuple[Work, ...]


def ranker_tiny() -> Recipe:
    """Fine-tune the shipped tiny ranker on judged pairs; minutes on two CPU cores."""
    stage = SftStage(epochs=4, rate=5e-4, matrix_rate=2e-3, listwise_weight=0.3, list_size=8)
    config = SftConfig(
        stages=(stage,),
        optimizer="muon",
        batch_tokens=8192,
        table_share=0.3,
        evaluate_every_steps=100,
        save_every_steps=100,
    )
    return Recipe(about="the tiny ranker on judged pairs: minutes on a CPU", works=(config,))


def sft_qwen3_0_6b() -> Recipe:
    """Grades with rationales, then soft labels: up to 5 epochs on 200,000 examples (docs/paper.md#policy-grading)."""
    return Recipe(
        about="Qwen3-0.6B into a ranker: grades with rationales, then soft labels",
        works=(_qwen3((SftStage(objective="rationales", rate=2e-5), SftStage(epochs=5, rate=1e-5))),),
    )


def prune_qwen3_0_6b() -> Recipe:
    """Prune in the paper's order: half of the MLP, SFT, the last 8 of 28 blocks, SFT: 0.6B to 0.375B parameters."""
    healed = _qwen3((SftStage(epochs=2, rate=1e-5),))
    return Recipe(
        about="a ranker of Qwen3-0.6B to its 0.375B: prune 50% of the MLP, SFT, drop 8 blocks, SFT",
        works=(PruneMlp(share=0.5, calibration_tokens=40_000_000), healed, DropBlocks(count=8), healed),
    )


def adapter_smollm2() -> Recipe:
    """Teach SmolLM2-135M-Instruct by a low-rank adapter, on prompts of title, metadata and about 60 words of text."""
    stage = SftStage(rate=2e-4, warmup=0.05, listwise_weight=0.3, list_size=8)
    config = SftConfig(
        stages=(stage,),
        max_examples=10_000,
        budget_tokens=160,
        batch_tokens=2048,
        evaluate_every_steps=100,
        save_every_steps=100,
        dev_queries=30,
        adapter=AdapterConfig(),
    )
    return Recipe(
        about="SmolLM2-135M into a ranker by a low-rank adapter, on short prompts: an hour or two on 2 cores",
        works=(config,),
    )


RECIPES: Mapping[str, Callable[[], Recipe]] = {
    "ranker_tiny": ranker_tiny,
    "sft_qwen3_0_6b": sft_qwen3_0_6b,
    "prune_qwen3_0_6b": prune_qwen3_0_6b,
    "adapter_smollm2": adapter_smollm2,
}


def recipe(name: str) -> Recipe:
    """The recipe of that name; ConfigError lists those that exist."""
    if name not in RECIPES:
        raise ConfigError(f"no recipe {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]()


def _qwen3(stages: tuple[SftStage, ...]) -> SftConfig:
    return SftConfig(
        stages=stages,
        max_examples=200_000,
        batch_tokens=65_536,
        accumulation=4,
        weight_decay=0.01,
        bf16=True,
        gradient_checkpointing=True,
        evaluate_every_steps=250,
        save_every_steps=250,
        patience=4,
        dev_queries=1000,
    )
