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
from training.components.machine import Machine
from training.evaluation.metrics import query_ndcg
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
    """[N] logit_yes - logit_no of every row, the same on every process."""
    module.eval()
    lengths = [row.prompt_length for row in examples.rows]
    out_N = torch.zeros(len(lengths), dtype=torch.float64, device=machine.device)
    batches = list(length_batches(lengths, batch_tokens))
    # A sharded model needs all its processes in every forward pass: the last round repeats a batch.
    for start in range(0, len(batches), machine.world):
        at = start + machine.rank
        batch = batches[min(at, len(batches) - 1)]
        tensors = collate(examples, tuple((row,) for row in batch), answers=False).to(machine.device)
        found_N = module(tensors, answers=False).double()
        if at < len(batches):
            out_N[torch.tensor(batch, device=machine.device)] = found_N
    machine.rest(module.train())
    values: Floats = machine.total(out_N).cpu().numpy()
    return values


def mean_ndcg(examples: Examples, logits_N: Floats) -> float:
    """Mean NDCG@10 with linear gains over the queries that have an item graded above 0."""
    values = [_ndcg(examples, rows, logits_N) for rows in examples.queries]
    return float(np.mean([value for value in values if not math.isnan(value)]))


def _ndcg(examples: Examples, rows: Sequence[int], logits_N: Floats) -> float:
    found = [examples.rows[row] for row in rows]
    return query_ndcg(logits_N[list(rows)], [one.grade for one in found], [one.posting_id for one in found])
