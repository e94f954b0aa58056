"""Labelled prompts of the tiny ranker, and their batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

CANDIDATES = 8
"""Candidates of each query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledPrompt:
    """A prompt's ids, the places of its labels and their targets p*_yes; the last label is at the answer."""

    ids: list[int]
    places: list[int]
    targets: list[float]


def collate(examples: Sequence[LabelledPrompt]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Ids [N, T] right-padded, and flat label coordinates: rows, columns, targets [L] in example order."""
    width = max(len(e.ids) for e in examples)
    ids = torch.zeros(len(examples), width, dtype=torch.long)
    for row, example in enumerate(examples):
        ids[row, : len(example.ids)] = torch.tensor(example.ids)
    rows = torch.tensor([row for row, e in enumerate(examples) for _ in e.places])
    columns = torch.tensor([place for e in examples for place in e.places])
    targets = torch.tensor([target for e in examples for target in e.targets])
    return ids, rows, columns, targets
