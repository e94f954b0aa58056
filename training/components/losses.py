"""Losses of the ranker: equation (3), its listwise companion, and equation (3) at every token read."""

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
    """Cross entropy over the candidates of each query; wanted shares are softmax(p* / temperature)."""
    wanted = torch.softmax(target_QC / temperature, dim=-1)
    return -(wanted * torch.log_softmax(logit_QC, dim=-1)).sum(-1)


def dense_kl(target_NT: Tensor, logit_NT: Tensor, weight_NT: Tensor) -> Tensor:
    """Equation (3) at every token of the text against the grade of what was read so far; a weighted mean."""
    total = (binary_kl(target_NT, logit_NT) * weight_NT).sum()
    return total / weight_NT.sum().clamp(min=1.0)
