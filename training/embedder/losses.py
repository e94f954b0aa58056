"""What the embedder is trained for: the order of a query's postings, the cosine of a pair, and MiniLM's vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.components.losses import binary_kl

LEAST = 0.15
"""Soft labels below this are no answer to a query: grades 0 and 1."""


class PairLoss(nn.Module):
    """The loss of the cosines [Q, P] of queries and postings, given soft labels [Q, P]; NaN where none is known.

    `order` is a cross entropy over all postings of the batch, to shares that grow with the square of the label.
    `level` is equation (3) for a learned line from the cosine to a logit, the same for all queries: it makes one
    threshold fit all. Answers weigh a quarter of it, whatever their number.
    """

    def __init__(self, scale: float = 16.0) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale).log())
        self.slope = nn.Parameter(torch.tensor(10.0).log())
        self.place = nn.Parameter(torch.tensor(0.6))

    def forward(self, cosines_QP: Tensor, labels_QP: Tensor) -> tuple[Tensor, Tensor]:
        """Return order and level, each a mean over the queries."""
        known_QP = ~labels_QP.isnan()
        labels = labels_QP.nan_to_num(0.0)
        wanted = ((labels - LEAST).clamp(min=0) ** 2) * known_QP
        asked = wanted.sum(-1) > 0
        wanted = wanted / wanted.sum(-1, keepdim=True).clamp(min=1e-6)
        logits = (cosines_QP * self.scale.exp().clamp(max=60.0)).masked_fill(~known_QP, -1e4)
        order = -(wanted * torch.log_softmax(logits, dim=-1)).sum(-1)[asked].mean()
        level = binary_kl(labels.clamp(0.02, 0.98), self.slope.exp() * (cosines_QP - self.place))
        good = (labels > LEAST).float() * known_QP
        bad = (labels <= LEAST).float() * known_QP
        return order, _mean(level, good) / 4 + _mean(level, bad) * 3 / 4


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / weights.sum().clamp(min=1.0)


def likeness(vectors_BW: Tensor, taught_BW: Tensor) -> Tensor:
    """One less the mean cosine of vectors and those that MiniLM gives, in the same space."""
    return 1 - (vectors_BW * taught_BW).sum(-1).mean()
