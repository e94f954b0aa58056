"""The settings of a fine-tuning run; what they mean stands in the docstrings of its classes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from schemas.errors import ConfigError

Objective = Literal["rationales", "labels"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SftStage:
    """One pass of training with its own optimizer state and schedule.

    `objective`: `rationales` is the language-model loss on the text after the prompt; `labels` is equation (3) on the
    two label logits at the last token, plus `listwise_weight` times a cross entropy over up to `list_size` candidates
    of a query. `rate`: AdamW's peak; `matrix_rate`: Muon's, where the run's optimizer is `muon`. `warmup`,
    `cooldown`: shares of the stage.
    """

    objective: Objective = "labels"
    epochs: int = 1
    max_steps: int | None = None
    rate: float = 1e-5
    matrix_rate: float = 2e-3
    warmup: float = 0.03
    cooldown: float = 0.5
    listwise_weight: float = 0.0
    list_size: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterConfig:
    """A low-rank adapter: what is trained in the place of the model's own weights, which stay as they are.

    Each linear layer among `targets` (of attention, of the MLP, or both) gets two matrices of rank `rank`, whose
    product is multiplied by `alpha` / `rank`.
    """

    rank: int = 16
    alpha: float = 32.0
    targets: Literal["all", "attention", "mlp"] = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class SftConfig:
    """A whole run: its stages in order, and settings that hold for all of them.

    `budget_tokens`: most tokens of a prompt; None: as at inference (2,048, or the model's context if smaller).
    `rationale_tokens`: most tokens of a rationale. `batch_tokens`: most tokens of a forward pass, padding included.
    `accumulation`: forward passes of a step, over all processes. `soft_label`: a rule of `training.sft.targets`.
    `table_share`: the embedding table's rate as a share of the others'. `patience`: evaluations without a better dev
    NDCG@10 after which a stage of labels ends. `best_dtype`: type of the weights in `best/`. `adapter`: None trains all
    weights.
    """

    stages: tuple[SftStage, ...] = (SftStage(),)
    seed: int = 1
    max_examples: int | None = None
    budget_tokens: int | None = None
    rationale_tokens: int = 256
    batch_tokens: int = 16_384
    accumulation: int = 1
    soft_label: str = "judged"
    optimizer: Literal["adamw", "muon"] = "adamw"
    table_share: float = 1.0
    weight_decay: float = 0.0
    clip: float = 1.0
    bf16: bool = False
    gradient_checkpointing: bool = False
    evaluate_every_steps: int = 200
    save_every_steps: int = 200
    keep_last: int = 2
    patience: int = 5
    dev_queries: int | None = None
    best_dtype: Literal["bfloat16", "float32"] = "bfloat16"
    adapter: AdapterConfig | None = None


_AT_LEAST_ONE = (
    "rationale_tokens",
    "batch_tokens",
    "accumulation",
    "evaluate_every_steps",
    "save_every_steps",
    "keep_last",
    "patience",
)


def check(config: SftConfig) -> None:
    """Raise ConfigError naming a setting whose value no run can work with."""
    if not config.stages:
        raise ConfigError("stages: give at least one")
    for name in _AT_LEAST_ONE:
        _positive(name, getattr(config, name))
    for name in ("max_examples", "budget_tokens", "dev_queries"):
        if getattr(config, name) is not None:
            _positive(name, getattr(config, name))
    _positive("clip", config.clip)
    _not_negative("weight_decay", config.weight_decay)
    _not_negative("table_share", config.table_share)
    if config.adapter:
        _positive("adapter.rank", config.adapter.rank)
        _positive("adapter.alpha", config.adapter.alpha)
    for number, stage in enumerate(config.stages):
        _check_stage(f"stages.{number}", stage)


def _check_stage(name: str, stage: SftStage) -> None:
    _positive(f"{name}.epochs", stage.epochs)
    _positive(f"{name}.rate", stage.rate)
    _positive(f"{name}.matrix_rate", stage.matrix_rate)
    _positive(f"{name}.warmup", stage.warmup)
    _positive(f"{name}.cooldown", stage.cooldown)
    if stage.max_steps is not None:
        _positive(f"{name}.max_steps", stage.max_steps)
    _not_negative(f"{name}.listwise_weight", stage.listwise_weight)
    if stage.listwise_weight and stage.list_size < 2:
        raise ConfigError(f"{name}.list_size must be at least 2: {stage.list_size}")


def _positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise ConfigError(f"{name} must be positive: {value}")


def _not_negative(name: str, value: float) -> None:
    if not 0 <= value < math.inf:
        raise ConfigError(f"{name} must not be negative: {value}")
