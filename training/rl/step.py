"""The updates of one step: each on its part of the postings, by the algorithm's loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from training.components.finite import check_number
from training.rl.actor import ActionLogProbs, Actor, Sample, Source
from training.rl.algorithms import Algorithm, Judged, low_variance_kl
from training.rl.config import RlConfig

Groups = Sequence[tuple[Source, Sequence[Sample]]]
"""Postings, each with the group of summaries that was drawn for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """Means over a step's updates. `kl`: to the start; `norm`: of the unclipped gradients; others as in `Loss`."""

    loss: float
    clipped: float
    ratio: float
    entropy: float
    kl: float
    norm: float


class Updater:
    """Moves an actor by an algorithm; the frozen `start` is what the KL is taken to."""

    def __init__(self, actor: Actor, start: Actor, algorithm: Algorithm, config: RlConfig) -> None:
        self._actor, self._start, self._algorithm, self._config = actor, start, algorithm, config
        groups = actor.parameters()
        self._shares = [group.rate for group in groups]
        self._weights = [weight for group in groups for weight in group.weights]
        # eps as large as small gradients would make the first steps smaller than the rate says
        self.optimizer = torch.optim.AdamW(
            [{"params": group.weights} for group in groups], lr=config.rate, eps=1e-10, weight_decay=0.0
        )

    def update(self, groups: Groups, rewards_PG: Tensor, factor: float) -> Updated:
        """Update the weights `updates` x `passes` times at `factor` times the rate; rewards are [postings, group].

        TrainingDiverged, and no further update, for a loss or a gradient that is not finite.
        """
        advantages_PG = self._algorithm.advantages(rewards_PG)
        self._set_rates(factor)
        with torch.no_grad():
            starts = [self._start.log_probs([source], [samples]).log_probs for source, samples in groups]
        found = []
        for _ in range(self._config.passes):
            for rows in _parts(len(groups), self._config.updates):
                judged, entropy = self._judged(groups[rows], starts[rows], advantages_PG[rows])
                found.append(self._moved(judged, entropy))
        return _mean(found)

    def _judged(
        self, groups: Groups, starts: Sequence[Tensor], advantages_PG: Tensor
    ) -> tuple[Judged, float]:
        samples = [own for _, own in groups]
        seen = self._actor.log_probs([source for source, _ in groups], samples)
        width = seen.log_probs.shape[1]
        old_SN = torch.stack([_padded(one.log_probs, width) for own in samples for one in own])
        start_SN = torch.cat([_padded(start, width) for start in starts])
        judged = Judged(
            new=seen.log_probs,
            old=old_SN,
            start=start_SN,
            mask=seen.mask,
            advantages=advantages_PG.flatten().to(seen.log_probs.dtype),
        )
        return judged, _over_actions(seen.entropies, seen)

    def _moved(self, judged: Judged, entropy: float) -> Updated:
        loss = self._algorithm.loss(judged)
        value = check_number(float(loss.value.detach()), "the loss")
        torch.autograd.backward(loss.value)
        norm = float(torch.nn.utils.clip_grad_norm_(self._weights, self._config.clip_norm))
        check_number(norm, "the norm of the gradients")
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        kl_SN = low_variance_kl(judged.new.detach(), judged.start) * judged.mask
        kl = float(kl_SN.sum() / judged.mask.sum().clamp(min=1))
        return Updated(loss=value, clipped=loss.clipped, ratio=loss.ratio, entropy=entropy, kl=kl, norm=norm)

    def _set_rates(self, factor: float) -> None:
        for group, share in zip(self.optimizer.param_groups, self._shares, strict=True):
            group["lr"] = self._config.rate * share * factor


def _parts(count: int, parts: int) -> list[slice]:
    """`parts` runs of nearly equal length that cover `count` postings; fewer where there are fewer postings."""
    edges = [round(part * count / parts) for part in range(parts + 1)]
    return [slice(a, b) for a, b in pairwise(edges) if a < b]


def _padded(values: Tensor, width: int) -> Tensor:
    """Values with zeros behind them (or without what is behind `width`, which is padding) along the last dimension."""
    values = values[..., :width]
    return torch.nn.functional.pad(values, (0, width - values.shape[-1]))


def _over_actions(values_SN: Tensor, seen: ActionLogProbs) -> float:
    return float((values_SN.detach() * seen.mask).sum() / seen.mask.sum().clamp(min=1))


def _mean(found: Sequence[Updated]) -> Updated:
    def mean(name: str) -> float:
        return float(sum(getattr(one, name) for one in found) / len(found))

    return Updated(**{name: mean(name) for name in Updated.__slots__})
