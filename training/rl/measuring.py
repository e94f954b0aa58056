"""What a run tells of a step, and how it measures the summaries that would be served on postings of the split dev."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from models.guards import GUARDS, shares
from training.rl.actor import Actor, Source
from training.rl.reward import GroupReward, Reward


@dataclass(frozen=True, slots=True, kw_only=True)
class DevFigures:
    """Summaries of the share asked for: mean KL to raw text, mean reward, mean share of the tokens, guards, texts."""

    kl: float
    reward: float
    share: float
    guards: Mapping[str, float]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RlMetrics:
    """One line of metrics.jsonl: a step, counted from 1 (0: the start).

    Means over the step's summaries: `reward` and its parts, `tokens` and `share` of the summaries, the share that hits
    each of the GUARDS. `kl_start`, `clipped`, `ratio`, `entropy`, `norm`, `loss`: of its updates. `lost`, `retries`:
    groups without a reward and repeated calls of the ranker, since the process began. None: not measured in this step.
    """

    step: int
    reward: float | None = None
    agreement: float | None = None
    grade: float | None = None
    penalty: float | None = None
    tokens: float | None = None
    share: float | None = None
    kl_start: float | None = None
    clipped: float | None = None
    ratio: float | None = None
    entropy: float | None = None
    norm: float | None = None
    loss: float | None = None
    rate: float = 0.0
    guards: Mapping[str, float] = field(default_factory=dict)
    lost: int = 0
    retries: int = 0
    sample_s: float = 0.0
    reward_s: float = 0.0
    update_s: float = 0.0
    dev_kl: float | None = None
    dev_reward: float | None = None
    dev_share: float | None = None
    dev_guards: Mapping[str, float] | None = None


UNMEASURED = DevFigures(
    kl=math.nan, reward=math.nan, share=math.nan, guards=dict.fromkeys(GUARDS, math.nan), texts=()
)
"""Where the ranker gave no number for any posting."""

MEANS = {
    "reward": "total",
    "agreement": "agreement",
    "grade": "grade",
    "penalty": "penalty",
    "tokens": "tokens",
    "share": "shares",
}
"""Parts of `GroupReward` by their names in `RlMetrics`."""


def group_means(found: Sequence[GroupReward]) -> dict[str, Any]:
    """The means of a step's rewards, their parts and lengths, by their names in `RlMetrics`."""
    means: dict[str, Any] = {name: _mean(found, part) for name, part in MEANS.items()}
    return means | {"guards": shares(flags for one in found for flags in one.flags)}


def measure(actor: Actor, sources: Sequence[Source], reward: Reward, share: float) -> DevFigures:
    """Summarize dev postings as in use and reward the summaries; those that the ranker gives no number are left out."""
    texts = actor.greedy(sources, share)
    found = [one for one in reward.of(sources, [[text] for text in texts]) if one is not None]
    if not found:
        return replace(UNMEASURED, texts=tuple(texts))
    return DevFigures(
        kl=-_mean(found, "agreement"),
        reward=_mean(found, "total"),
        share=_mean(found, "shares"),
        guards=shares(flags for one in found for flags in one.flags),
        texts=tuple(texts),
    )


def _mean(found: Sequence[GroupReward], name: str) -> float:
    return float(np.concatenate([getattr(one, name) for one in found]).mean())
