"""What a summary's length costs: the paper's penalties P1 and P2."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from training.components.arrays import Floats
from training.rl.config import RewardConfig

Penalty = Callable[[float, Floats, RewardConfig], Floats]
"""From a text's tokens, its summaries' tokens [N] and the settings to what is added to each reward, at most 0."""


def p1(original: float, compressed_N: Floats, config: RewardConfig) -> Floats:
    """Equation (5): nothing for a text shorter than `m` or up to the ratio `tau`, then -w ((r - tau) / (1 - tau))^2."""
    if original < config.m:
        return np.zeros(len(compressed_N))
    over_N = np.maximum(compressed_N / original - config.tau, 0.0)
    return -config.w * (over_N / (1 - config.tau)) ** 2


def p2(original: float, compressed_N: Floats, config: RewardConfig) -> Floats:
    """Equation (6), the length term of equation (4): -w r^2."""
    return -config.w * (compressed_N / original) ** 2


PENALTIES: Mapping[str, Penalty] = {"p1": p1, "p2": p2}


def penalty(original: float, compressed_N: Floats, kl_N: Floats, config: RewardConfig) -> Floats:
    """What length adds to the rewards of a text's summaries, by the configured penalty.

    With `gate` a summary whose KL is above it pays for the whole text (r = 1), so that no summary gains by length what
    it loses in quality.
    """
    rule = PENALTIES[config.penalty]
    found_N = rule(original, compressed_N, config)
    if config.gate is None:
        return found_N
    return np.where(kl_N > config.gate, rule(original, np.full(len(kl_N), original), config), found_N)
