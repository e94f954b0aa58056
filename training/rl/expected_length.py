"""Bernoulli choices of phrases at an expected length: logits of one spread, less the number at which it is reached."""

from __future__ import annotations

import torch
from torch import Tensor

HALVINGS = 40
MARGIN = 12.0
"""Beyond the lowest and the highest logit by this much, all phrases are chosen or none."""
SPREAD = 1.0
"""Standard deviation of a posting's logits when choices are drawn: a phrase one deviation above the mean has some seven
times the odds of one below it."""
SOFT = 0.1
"""Added to the variance, so that logits that are nearly alike are not blown up to the whole spread."""


def of_one_spread(logit_P: Tensor) -> Tensor:
    """Return the logits about their mean, with a standard deviation of nearly SPREAD; all alike stay alike.

    Use takes the highest logits, so only their order counts. With a free spread the quickest way to more reward is to
    draw what is likely already more often: no order changes, and what is never drawn can no longer be learned.
    """
    if not len(logit_P):
        return logit_P
    centred_P = logit_P - logit_P.mean()
    return SPREAD * centred_P / (centred_P.square().mean() + SOFT).sqrt()


def at_expected_length(logit_P: Tensor, tokens_P: Tensor, room: float) -> Tensor:
    """Return the logits less the number at which the chosen phrases have `room` tokens on average, differentiable.

    Where all phrases together have no more than `room`, nearly all are chosen. The number depends on the logits, and
    the gradient says how: d number / d logit_i = v_i / sum v, v_i = p_i (1 - p_i) tokens_i.
    """
    if not len(logit_P):
        return logit_P
    fixed_P = logit_P.detach()
    number = _number(fixed_P, tokens_P, room)
    chance_P = (fixed_P - number).sigmoid()
    weight_P = chance_P * (1 - chance_P) * tokens_P
    share_P = weight_P / weight_P.sum().clamp_min(1e-12)
    return logit_P - number - share_P @ (logit_P - fixed_P)


def _number(logit_P: Tensor, tokens_P: Tensor, room: float) -> Tensor:
    """Find the number by halving an interval."""
    low, high = logit_P.min() - MARGIN, logit_P.max() + MARGIN
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        long = (logit_P - middle).sigmoid() @ tokens_P > room
        low, high = torch.where(long, middle, low), torch.where(long, high, middle)
    return (low + high) / 2
