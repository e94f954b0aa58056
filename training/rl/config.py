"""The settings of a reinforcement-learning run; what they mean stands in the docstrings of the two classes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from models.prompts import SUMMARY_MAX_TOKENS
from schemas.errors import ConfigError
from training.components.named_settings import with_setting

AlgorithmName = Literal["grpo", "dr_grpo", "gspo"]
PenaltyName = Literal["p1", "p2"]
ActorName = Literal["extractive", "generative"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardConfig:
    """The reward of a summary: equation (4), with the penalty P1 (5) or P2 (6).

    `w`, `m` (tokens), `tau`: the penalty's. `grade_weight`: weight of the KL to the grade, for queries that have one
    (0: equation (4) as it stands). `gate`: KL to the raw text above which a summary pays the penalty of the whole text;
    None: length counts whatever the quality. `attempts`: of one step's scores. `most_lost`: groups without a reward
    after which the run ends.
    """

    penalty: PenaltyName = "p2"
    w: float = 0.4
    m: int = 256
    tau: float = 1 / 3
    grade_weight: float = 0.0
    gate: float | None = None
    attempts: int = 3
    most_lost: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class RlConfig:
    """A whole run: `steps` steps of `postings` postings with `group` summaries each, scored for `queries` queries.

    `updates`: updates of a step, each on its part of the postings; with more than one the ratios of new to old
    probabilities differ from 1. `passes`: how often a step's samples are gone through. `clip_low`, `clip_high`: bounds
    of the ratio, None for the algorithm's own. `kl_weight`: weight of the KL to the start, None for the algorithm's
    own. `longest`: the constant number of actions that Dr. GRPO divides by. `rate`: Adam's peak; `warmup`, `cooldown`:
    shares of the run. `clip_norm`: bound of the gradients' norm. `share`: the share of the tokens that dev summaries
    are asked to have. `dev_postings`: how many postings of the split dev are measured. `temperature`, `max_tokens`: of
    a generative actor's samples.
    """

    actor: ActorName = "extractive"
    algorithm: AlgorithmName = "dr_grpo"
    reward: RewardConfig = field(default_factory=RewardConfig)
    seed: int = 1
    steps: int = 300
    postings: int = 6
    group: int = 12
    queries: int = 5
    updates: int = 3
    passes: int = 1
    clip_low: float | None = None
    clip_high: float | None = None
    kl_weight: float | None = None
    longest: int = 128
    rate: float = 3e-4
    warmup: float = 0.05
    cooldown: float = 0.5
    clip_norm: float = 1.0
    temperature: float = 1.0
    max_tokens: int = SUMMARY_MAX_TOKENS
    share: float = 0.07
    dev_postings: int = 60
    evaluate_every_steps: int = 20
    save_every_steps: int = 20
    keep_last: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RlRecipe:
    """A named configuration, and what it is for."""

    about: str
    config: RlConfig


def rl_extractive() -> RlRecipe:
    """Teach the extractive summarizer by GRPO, from a head that knows nothing; minutes on one CPU core."""
    return RlRecipe(
        about="the extractive summarizer by GRPO, from a head that knows nothing: minutes on a core",
        # samples have the asked length on average, so that the paper's w does not have to hold it
        config=RlConfig(
            algorithm="grpo",
            reward=RewardConfig(w=0.4),
            rate=2e-3,
            postings=10,
            group=16,
            updates=2,
            passes=2,
            steps=40,
            dev_postings=150,
            evaluate_every_steps=10,
        ),
    )


def rl_generative() -> RlRecipe:
    """The row of the paper's table 5 that went into production, GSPO, P2, w = 0.4: for `--backend verl` and 1.7B."""
    return RlRecipe(
        about="the paper's production row, GSPO, P2, w = 0.4: a 1.7B actor on verl with SGLang rollouts",
        config=RlConfig(
            actor="generative",
            algorithm="gspo",
            rate=1e-6,
            postings=128,
            group=8,
            updates=4,
            cooldown=1.0,
            dev_postings=200,
        ),
    )


def rl_smollm2() -> RlRecipe:
    """Teach SmolLM2-135M-Instruct by GSPO on one machine, to see it learn; not run to its end here."""
    return RlRecipe(
        about="SmolLM2-135M-Instruct by GSPO: one process, a CPU or a small GPU",
        config=RlConfig(
            actor="generative",
            algorithm="gspo",
            rate=3e-6,
            postings=4,
            group=8,
            updates=2,
            steps=60,
            max_tokens=64,
            dev_postings=16,
        ),
    )


RECIPES: Mapping[str, Callable[[], RlRecipe]] = {
    "rl_extractive": rl_extractive,
    "rl_generative": rl_generative,
    "rl_smollm2": rl_smollm2,
}


def override(config: RlConfig, changes: Sequence[str]) -> RlConfig:
    """The configuration with each `name=value` applied, such as `steps=100` or `reward.w=2`.

    Raises ConfigError naming a setting that does not exist, or whose value has another type.
    """
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise ConfigError(f"--set {change!r}: give name=value")
        if name.startswith("reward."):
            inner = with_setting(config.reward, name.removeprefix("reward."), name, value)
            config = replace(config, reward=inner)
        else:
            config = with_setting(config, name, name, value)
    return config


def recipe(name: str) -> RlRecipe:
    """The recipe of that name; ConfigError lists those that exist."""
    if name not in RECIPES:
        raise ConfigError(f"no recipe {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]()


_COUNTS = ("steps", "postings", "queries", "updates", "passes", "longest", "max_tokens", "dev_postings")
_EVERY = ("evaluate_every_steps", "save_every_steps", "keep_last")


def check(config: RlConfig) -> None:
    """Raise ConfigError naming a setting whose value no run can work with."""
    for name in (*_COUNTS, *_EVERY, "rate", "warmup", "cooldown", "clip_norm", "temperature"):
        _above(name, getattr(config, name), 0)
    _above("group", config.group, 1)
    for name in ("clip_low", "clip_high"):
        if getattr(config, name) is not None:
            _above(name, getattr(config, name), 0)
    if config.updates > config.postings:
        raise ConfigError(f"updates must be at most postings ({config.postings}): {config.updates}")
    if config.max_tokens > SUMMARY_MAX_TOKENS:
        raise ConfigError(f"max_tokens must be at most {SUMMARY_MAX_TOKENS}, as served: {config.max_tokens}")
    if not 0 < config.share <= 1:
        raise ConfigError(f"share must be above 0 and at most 1: {config.share}")
    _check_reward(config.reward)


def _check_reward(config: RewardConfig) -> None:
    for name in ("attempts", "most_lost"):
        _above(f"reward.{name}", getattr(config, name), 0)
    for name in ("w", "m", "grade_weight"):
        if not 0 <= getattr(config, name) < math.inf:
            raise ConfigError(f"reward.{name} must not be negative: {getattr(config, name)}")
    if not 0 <= config.tau < 1:
        raise ConfigError(f"reward.tau must be at least 0 and below 1: {config.tau}")


def _above(name: str, value: float, least: float) -> None:
    if not least < value < math.inf:
        raise ConfigError(f"{name} must be above {least}: {value}")
