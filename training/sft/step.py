"""The gradients of one step, whose batches are divided among the processes."""

from __future__ import annotations

import torch
from torch import nn

from training.components.finite import check_number
from training.components.machine import Machine
from training.sft.config import SftStage
from training.sft.examples import Examples
from training.sft.objective import batch_loss, count
from training.sft.order import StepBatches


def gradients(
    module: nn.Module, examples: Examples, step: StepBatches, stage: SftStage, machine: Machine
) -> float:
    """Sum the gradients of the step's batches into the weights' `grad`; returns the step's mean loss.

    TrainingDiverged for a loss that is not finite, in every process alike.
    """
    counts, total = count(examples, step), torch.zeros((), device=machine.device)
    for start in range(0, len(step.batches), machine.world):
        at, last = start + machine.rank, start + machine.world >= len(step.batches)
        # A process without a batch of its own in the last round computes another one with weight 0.
        batch, weight = step.batches[min(at, len(step.batches) - 1)], float(at < len(step.batches))
        with machine.sync(module, now=last):
            loss = weight * batch_loss(module, examples, batch, stage, counts, machine.device)
            # DDP and FSDP average gradients over processes, but the step's loss is the sum of the processes' parts.
            torch.autograd.backward(loss * machine.world)
        total += loss.detach()
    return check_number(float(machine.total(total)), "the loss")


def tokens(examples: Examples, step: StepBatches, stage: SftStage) -> tuple[int, float]:
    """Tokens of a step's forward passes, and the share of them that is padding."""
    answers = stage.objective == "rationales"
    padded = real = 0
    for batch in step.batches:
        chosen = [examples.rows[row] for rows in batch for row in rows]
        sizes = [row.length if answers else row.prompt_length for row in chosen]
        padded, real = padded + max(sizes) * len(sizes), real + sum(sizes)
    return padded, 1 - real / padded
