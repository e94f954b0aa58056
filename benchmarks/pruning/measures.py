"""The loss of a pruned checkpoint: in each MLP's output, next-token and label distributions, NDCG@10."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.prompts import Prompter
from training.components.arrays import Floats
from training.evaluation import intervals
from training.evaluation.offline import load
from training.judging.records import Judged
from training.pruning import data


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Lost share of each MLP's output on its own inputs, KL of next token and label, NDCG of each query by set."""

    errors: list[float]
    kl_token: float
    kl_label: float
    ndcgs: dict[str, Floats]


class Measure:
    """Compares checkpoints with a dense one, on prompts that were not calibrated on."""

    def __init__(self, dense: Path, prompts: Sequence[list[int]], judged: dict[str, list[Judged]]) -> None:
        self._dense, self._prompts, self._prompter = load(dense).eval(), prompts, Prompter.from_dir(dense)
        self._ndcgs = {name: data.ndcgs(queries, self._prompter) for name, queries in judged.items()}
        self.dense_ndcgs = self.ndcgs(self._dense)

    def ndcgs(self, model: Any) -> dict[str, Floats]:
        """NDCG@10 of each query of each set."""
        return {name: measure(model) for name, measure in self._ndcgs.items()}

    def lost(self, small: Path) -> Lost:
        """All figures of one pruned checkpoint."""
        model = load(small).eval()
        gauges = [
            Gauge(ours.mlp, theirs.mlp)
            for ours, theirs in zip(model.model.layers, self._dense.model.layers, strict=True)
        ]
        kls_2 = torch.stack([self._kl(model, ids) for ids in self._prompts]).mean(0)
        for gauge in gauges:
            gauge.hook.remove()
        return Lost(
            errors=[gauge.lost / gauge.whole for gauge in gauges],
            kl_token=float(kls_2[0]),
            kl_label=float(kls_2[1]),
            ndcgs=self.ndcgs(model),
        )

    @torch.inference_mode()
    def _kl(self, model: Any, ids: list[int]) -> Tensor:
        """KL(dense || small): mean over next tokens of the prompt, and over the two labels after its last token."""
        whole_TV, small_TV = (
            each(input_ids=torch.tensor([ids]), use_cache=False).logits[0] for each in (self._dense, model)
        )
        labels = list(self._prompter.label_ids)
        return torch.stack(
            (divergence(whole_TV, small_TV), divergence(whole_TV[-1:, labels], small_TV[-1:, labels]))
        )


class Gauge:
    """Sums ‖dense(x) − small(x)‖² and ‖dense(x)‖² over the inputs x that the small model's MLP sees."""

    def __init__(self, small: Any, dense: Any) -> None:
        self._dense = dense
        self.lost = self.whole = 0.0
        self.hook = small.register_forward_hook(self._add)

    def _add(self, _: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        target = self._dense(inputs[0])
        self.lost += float((target - output).square().sum())
        self.whole += float(target.square().sum())


def change(small: Floats, dense: Floats) -> tuple[float, float, float]:
    """Mean change over queries from dense to small, and its 95% interval."""
    moved = small - dense
    return intervals.bootstrap(list(moved), lambda rows: float(np.mean(moved[rows])))


def divergence(whole_TV: Tensor, small_TV: Tensor) -> Tensor:
    """KL(whole || small) of the distributions that two sets of logits [T, V] give, mean over T."""
    small_TV, whole_TV = (functional.log_softmax(each.double(), -1) for each in (small_TV, whole_TV))
    return functional.kl_div(small_TV, whole_TV, log_target=True, reduction="batchmean")
