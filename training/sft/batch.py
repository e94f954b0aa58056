"""A batch of examples as tensors."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch
from torch import Tensor

from training.sft.examples import Examples
from training.sft.order import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensors:
    """A batch of N examples, padded on the right, where nothing attends.

    `ids_NT`: token ids; `last_N`: place of the prompt's last token; `soft_N`: p*_yes. For each of the A answer tokens:
    its row, the place before it (whose logits predict it) and its id.
    """

    ids_NT: Tensor
    last_N: Tensor
    soft_N: Tensor
    rows_A: Tensor
    places_A: Tensor
    answers_A: Tensor

    def to(self, device: torch.device) -> Self:
        """These tensors on a device."""
        return type(self)(
            **{f.name: getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)}
        )


def collate(examples: Examples, batch: Batch, *, answers: bool) -> Tensors:
    """The batch's examples as tensors, in their order; `answers`: with the text that follows the prompt."""
    chosen = [examples.rows[row] for rows in batch for row in rows]
    wide = max(example.length if answers else example.prompt_length for example in chosen)
    ids = np.zeros((len(chosen), wide), np.int64)
    rows: list[int] = []
    places: list[int] = []
    wanted: list[int] = []
    for row, example in enumerate(chosen):
        prompt = example.prompt_length
        ids[row, : len(example.query)] = example.query
        ids[row, len(example.query) : prompt] = example.item
        if answers:
            ids[row, prompt : example.length] = example.answer
            rows += [row] * len(example.answer)
            places += range(prompt - 1, example.length - 1)
            wanted += example.answer.tolist()
    return Tensors(
        ids_NT=torch.from_numpy(ids),
        last_N=torch.tensor([example.prompt_length - 1 for example in chosen]),
        soft_N=torch.tensor([example.soft_label for example in chosen], dtype=torch.float32),
        rows_A=torch.tensor(rows, dtype=torch.long),
        places_A=torch.tensor(places, dtype=torch.long),
        answers_A=torch.tensor(wanted, dtype=torch.long),
    )
