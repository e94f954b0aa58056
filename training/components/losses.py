"""Losses of the ranker: equation (3), a listwise loss over a query's candidates, and equation (3) at every token."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def binary_kl(target_N: Tensor, logit_N: Tensor) -> Tensor:
    """KL((p*, 1-p*) ‖ (p, 1-p)) elementwise, p = sigmoid(logit), 0 < p* < 1: equation (3)."""
    cross = binary_cross_entropy_with_logits(logit_N, target_N, reduction="none")
    entropy = -(torch.xlogy(target_N, target_N) + torch.xlogy(1 - target_N, 1 - target_N))
    return cross - entropy


def listwise(target_QC: Tensor, logit_QC: Tensor, temperature: float = 0.25) -> Tensor:
    """Cross entropy [Q] over each query's candidates; the target distribution is softmax(p* / temperature)."""
    wanted = torch.softmax(target_QC / temperature, dim=-1)
    return -(wanted * torch.log_softmax(logit_QC, dim=-1)).sum(-1)


def dense_kl(target_NT: Tensor, logit_NT: Tensor, weight_NT: Tensor) -> Tensor:
    """Weighted mean of equation (3) at all tokens; a token's target is the grade of the text up to it."""
    total = (binary_kl(target_NT, logit_NT) * weight_NT).sum()
    return total / weight_NT.sum().clamp(min=1.0)
