"""Policy-gradient algorithms over groups of samples: GRPO, Dr. GRPO and GSPO.

Shapes: P postings with G samples each make S = P x G samples, in posting-major order, of N actions at most. Losses and
gradients agree with verl's `core_algos` and with TRL on fixed tensors (tests/training/rl/fixtures/losses.json).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from typing_extensions import override

from schemas.errors import ConfigError
from training.rl.config import RlConfig

STD_FLOOR = 1e-6
"""Added to a group's deviation, as verl does, so that a group of equal rewards has advantages 0."""
DUAL_CLIP = 3.0
"""Bound of the ratio where the advantage is negative (Ye et al., 2020; verl's `clip_ratio_c`)."""
LOG_BOUND = 20.0
"""Bound of a log-ratio, so that its exponential is finite (verl's)."""
KL_BOUND = 10.0
"""Bound of one action's KL estimate (verl's)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Actions of S samples as three policies see them. `new` is differentiable; `old` drew them; `start` is the first.

    All [S, N]; `mask`: whether there is an action; `advantages`: [S].
    """

    new: Tensor
    old: Tensor
    start: Tensor
    mask: Tensor
    advantages: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A loss to minimize. `clipped`: share of actions whose loss is cut off; `ratio`: mean |new / old - 1|."""

    value: Tensor
    clipped: float
    ratio: float


class Algorithm(Protocol):
    """What rewards make of samples, and the loss that a policy is moved by."""

    def advantages(self, rewards_PG: Tensor) -> Tensor:
        """What each sample is worth beside the others of its group; [P, G]."""
        ...

    def loss(self, judged: Judged) -> Loss:
        """The loss of some samples."""
        ...


class Grpo(Algorithm):
    """Group-relative policy optimization (Shao et al., 2024), with the mean over a sample's actions, then over samples.

    A KL to the start joins the loss.
    """

    def __init__(self, *, clip_low: float = 0.2, clip_high: float = 0.2, kl_weight: float = 0.001) -> None:
        self._low, self._high, self._kl_weight = clip_low, clip_high, kl_weight

    @override
    def advantages(self, rewards_PG: Tensor) -> Tensor:
        """Divide by the group's standard deviation (n - 1 in its denominator)."""
        return centred(rewards_PG) / (rewards_PG.std(dim=-1, keepdim=True) + STD_FLOOR)

    @override
    def loss(self, judged: Judged) -> Loss:
        """Clip the ratio of each action by itself."""
        log_ratio_SN = (judged.new - judged.old).clamp(-LOG_BOUND, LOG_BOUND)
        kl_SN = low_variance_kl(judged.new, judged.start)
        return clipped(judged, log_ratio_SN.exp(), (self._low, self._high), kl_SN * self._kl_weight, mean)


class DrGrpo(Algorithm):
    """GRPO done right (Liu et al., 2025): no deviation and no length to divide by, which would favour easy and long.

    A sample's loss is the sum over its actions divided by the constant `longest`.
    """

    def __init__(
        self, *, longest: int, clip_low: float = 0.2, clip_high: float = 0.2, kl_weight: float = 0.0
    ) -> None:
        self._longest, self._low, self._high, self._kl_weight = longest, clip_low, clip_high, kl_weight

    @override
    def advantages(self, rewards_PG: Tensor) -> Tensor:
        """Take the group's mean away and nothing else."""
        return centred(rewards_PG)

    @override
    def loss(self, judged: Judged) -> Loss:
        """Clip the ratio of each action by itself."""
        log_ratio_SN = (judged.new - judged.old).clamp(-LOG_BOUND, LOG_BOUND)
        kl_SN = low_variance_kl(judged.new, judged.start)
        kl_SN = kl_SN * self._kl_weight
        return clipped(judged, log_ratio_SN.exp(), (self._low, self._high), kl_SN, self._summed)

    def _summed(self, values_SN: Tensor, mask_SN: Tensor) -> Tensor:
        return (values_SN * mask_SN).sum(-1) / self._longest


class Gspo(Algorithm):
    """Group sequence policy optimization (Zheng et al., 2025): one ratio a sample, the geometric mean over actions."""

    def __init__(self, *, clip_low: float = 3e-4, clip_high: float = 4e-4, kl_weight: float = 0.0) -> None:
        self._low, self._high, self._kl_weight = clip_low, clip_high, kl_weight

    @override
    def advantages(self, rewards_PG: Tensor) -> Tensor:
        """Divide by the group's standard deviation (n - 1 in its denominator)."""
        return centred(rewards_PG) / (rewards_PG.std(dim=-1, keepdim=True) + STD_FLOOR)

    @override
    def loss(self, judged: Judged) -> Loss:
        """Clip the ratio of each whole sample."""
        log_ratio_S = mean(judged.new - judged.old, judged.mask)
        ratio_SN = log_ratio_S.clamp(max=KL_BOUND).exp()[:, None].expand_as(judged.new)
        kl_SN = low_variance_kl(judged.new, judged.start) * self._kl_weight
        return clipped(judged, ratio_SN, (self._low, self._high), kl_SN, mean, dual=None)


def centred(rewards_PG: Tensor) -> Tensor:
    """Rewards minus the mean of their group."""
    return rewards_PG - rewards_PG.mean(dim=-1, keepdim=True)


def mean(values_SN: Tensor, mask_SN: Tensor) -> Tensor:
    """[S] means over each sample's actions; 0 for a sample without any."""
    return (values_SN * mask_SN).sum(-1) / mask_SN.sum(-1).clamp(min=1)


def low_variance_kl(new_SN: Tensor, start_SN: Tensor) -> Tensor:
    """Estimate of KL(new ‖ start) by action, never negative: Schulman's third estimator."""
    log_ratio_SN = (start_SN - new_SN).clamp(-LOG_BOUND, LOG_BOUND)
    return (log_ratio_SN.exp() - log_ratio_SN - 1).clamp(-KL_BOUND, KL_BOUND)


def clipped(
    judged: Judged,
    ratio_SN: Tensor,
    bounds: tuple[float, float],
    more_SN: Tensor,
    aggregate: Callable[[Tensor, Tensor], Tensor],
    dual: float | None = DUAL_CLIP,
) -> Loss:
    """The clipped policy loss plus `more_SN`, aggregated over each sample's actions, then averaged over the samples.

    `bounds`: how far a ratio counts below and above 1. `dual`: bound of the ratio where the advantage is negative.
    Samples without actions are left out of the mean.
    """
    gain_S1, mask_SN = judged.advantages[:, None], judged.mask.to(ratio_SN.dtype)
    free_SN = -gain_S1 * ratio_SN
    cut_SN = -gain_S1 * ratio_SN.clamp(1 - bounds[0], 1 + bounds[1])
    loss_SN = torch.maximum(free_SN, cut_SN)
    if dual is not None:
        loss_SN = torch.where(gain_S1 < 0, torch.minimum(-gain_S1 * dual, loss_SN), loss_SN)
    acted_S = (mask_SN.sum(-1) > 0).to(ratio_SN.dtype)
    by_sample_S = aggregate(loss_SN + more_SN, mask_SN)
    actions = mask_SN.sum().clamp(min=1)
    return Loss(
        value=(by_sample_S * acted_S).sum() / acted_S.sum().clamp(min=1),
        clipped=float(((cut_SN > free_SN) * mask_SN).sum() / actions),
        ratio=float(((ratio_SN.detach() - 1).abs() * mask_SN).sum() / actions),
    )


def _grpo(config: RlConfig, given: dict[str, float]) -> Algorithm:
    del config
    return Grpo(**given)


def _dr_grpo(config: RlConfig, given: dict[str, float]) -> Algorithm:
    return DrGrpo(longest=config.longest, **given)


def _gspo(config: RlConfig, given: dict[str, float]) -> Algorithm:
    del config
    return Gspo(**given)


ALGORITHMS: Mapping[str, Callable[[RlConfig, dict[str, float]], Algorithm]] = {
    "grpo": _grpo,
    "dr_grpo": _dr_grpo,
    "gspo": _gspo,
}


def open_algorithm(config: RlConfig) -> Algorithm:
    """The configured algorithm; a setting that is None keeps its own. ConfigError lists those that exist."""
    if config.algorithm not in ALGORITHMS:
        raise ConfigError(f"no algorithm {config.algorithm!r}; there are {', '.join(ALGORITHMS)}")
    settings = {
        "clip_low": config.clip_low,
        "clip_high": config.clip_high,
        "kl_weight": config.kl_weight,
    }
    given = {name: value for name, value in settings.items() if value is not None}
    return ALGORITHMS[config.algorithm](config, given)
