"""The loss of a batch, as its part of the mean over its step: on answer tokens in stage 1, on labels in stage 2."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.components import losses
from training.sft.batch import collate
from training.sft.config import SftStage
from training.sft.examples import Examples
from training.sft.order import Batch, StepBatches


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCounts:
    """The denominators of a step's means: its examples, its lists of two or more candidates, its answer tokens."""

    examples: int
    lists: int
    answers: int


def count(examples: Examples, step: StepBatches) -> StepCounts:
    """The counts over all batches of a step, of all processes."""
    lists = [rows for batch in step.batches for rows in batch]
    rows = [row for part in lists for row in part]
    return StepCounts(
        examples=len(rows),
        lists=sum(len(part) > 1 for part in lists),
        answers=sum(len(examples.rows[row].answer) for row in rows),
    )


def batch_loss(
    module: nn.Module,
    examples: Examples,
    batch: Batch,
    stage: SftStage,
    counts: StepCounts,
    device: torch.device,
) -> Tensor:
    """The batch's part of the step's mean loss; the parts add up to it however the step is cut into batches."""
    answers = stage.objective == "rationales"
    tensors = collate(examples, batch, answers=answers).to(device)
    found: Tensor = module(tensors, answers=answers)
    if answers:
        return found.sum() / counts.answers
    loss = losses.binary_kl(tensors.soft_N, found).sum() / counts.examples
    if stage.listwise_weight and counts.lists:
        loss = loss + stage.listwise_weight * _lists(batch, tensors.soft_N, found) / counts.lists
    return loss


def _lists(batch: Batch, soft_N: Tensor, logit_N: Tensor) -> Tensor:
    sizes = [len(rows) for rows in batch]
    parts = zip(torch.split(soft_N, sizes), torch.split(logit_N, sizes), strict=True)
    found = [losses.listwise(soft[None], logit[None]) for soft, logit in parts if len(soft) > 1]
    return torch.cat(found).sum() if found else logit_N.sum() * 0
