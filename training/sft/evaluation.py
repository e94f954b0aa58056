"""Dev NDCG@10 of the model in training, over all processes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from models.length_batches import length_batches
from schemas.errors import ConfigError
from training.components.arrays import Floats
from training.components.finite import check_number
from training.components.machine import Machine
from training.evaluation.metrics import earned_ndcg, level
from training.sft.batch import collate
from training.sft.examples import Examples


def check_dev(examples: Examples) -> None:
    """Raise ConfigError when no query has an item above grade 0: NDCG would not exist."""
    if not any(examples.rows[row].grade for rows in examples.queries for row in rows):
        raise ConfigError(
            f"split 'dev': none of its {len(examples.queries)} queries has an item graded above 0"
        )


@torch.no_grad()
def logits(module: nn.Module, examples: Examples, machine: Machine, batch_tokens: int) -> Floats:
    """[N] logit_yes - logit_no of every row; every process computes a part and gets all."""
    module.eval()
    lengths = [row.prompt_length for row in examples.rows]
    out_N = torch.zeros(len(lengths), dtype=torch.float64, device=machine.device)
    batches = list(length_batches(lengths, batch_tokens))
    # Every process must take part in every forward pass of a sharded model, so the last round may repeat a batch.
    for start in range(0, len(batches), machine.world):
        at = start + machine.rank
        batch = batches[min(at, len(batches) - 1)]
        tensors = collate(examples, tuple((row,) for row in batch), answers=False).to(machine.device)
        found_N = module(tensors, answers=False).double()
        if at < len(batches):
            out_N[torch.tensor(batch, device=machine.device)] = found_N
    machine.reshard(module.train())
    values: Floats = machine.total(out_N).cpu().numpy()
    return values


def mean_ndcg(examples: Examples, logits_N: Floats) -> float:
    """Mean NDCG@10 with linear gains over the queries that have an item graded above 0.

    TrainingDiverged for a score that is not finite.
    """
    check_number(float(np.abs(logits_N).max()), "the largest score of split dev")
    values = [_ndcg(examples, rows, logits_N) for rows in examples.queries]
    return float(np.mean([value for value in values if not math.isnan(value)]))


def ranks(examples: Examples, logits_N: Floats) -> bool:
    """Whether the scores put any query's items in an order; queries of one item need none."""
    several = [rows for rows in examples.queries if len(rows) > 1]
    return not several or not all(level(logits_N[list(rows)]) for rows in several)


def _ndcg(examples: Examples, rows: Sequence[int], logits_N: Floats) -> float:
    return earned_ndcg(logits_N[list(rows)], [examples.rows[row].grade for row in rows])
