"""Everything that a fine-tuning run depends on, apart from its inputs and its machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.errors import ConfigError

Objective = Literal["rationales", "labels"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SftStage:
    """One pass of training with its own optimizer state and schedule.

    `rationales`: language-model loss on the text after the prompt. `labels`: equation (3) on the two label
    logits at the last token, plus `listwise_weight` times a cross entropy over up to `list_size` candidates
    of a query. `rate` is AdamW's peak, `matrix_rate` Muon's (used when the run's optimizer is `muon`).
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
class SftConfig:
    """A whole run: its stages in order, and what they share.

    `budget_tokens`: of a prompt; None means as at inference (2,048, or the model's context when smaller).
    `batch_tokens`: of one forward pass, padding included; `accumulation` of them, over all processes, make a
    step. `soft_label` names a rule of `training.sft.targets`. `patience`: evaluations without a better dev
    NDCG@10 after which a stage of labels ends. `table_share`: of the rate, for the embedding table. `best_dtype`: of the weights in `best/`.
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
    """Raise ConfigError for a number that no run can work with."""
    if not config.stages:
        raise ConfigError("stages: give at least one")
    for name in _AT_LEAST_ONE:
        _positive(name, getattr(config, name))
    for name in ("max_examples", "budget_tokens", "dev_queries"):
        if getattr(config, name) is not None:
            _positive(name, getattr(config, name))
    _positive("clip", config.clip)
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
    if stage.listwise_weight < 0:
        raise ConfigError(f"{name}.listwise_weight must not be negative: {stage.listwise_weight}")
    if stage.listwise_weight and stage.list_size < 2:
        raise ConfigError(f"{name}.list_size must be at least 2: {stage.list_size}")


def _positive(name: str, value: float) -> None:
    if not value > 0:
        raise ConfigError(f"{name} must be positive: {value}")
