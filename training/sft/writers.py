"""How a run writes its model: whole, or the part that was trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel
from typing_extensions import override

from training.components import saving


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What a written model says of itself: its name in answers, its run's steps so far, and the type of its weights.

    `dev_ndcg`: its dev NDCG@10 where it was measured; `before`: that of the model that the run began with.
    """

    name: str
    step: int
    dtype: torch.dtype
    before: float
    dev_ndcg: float | None = None


class ModelWriter(Protocol):
    """Writes what a run has trained."""

    def write(self, directory: Path, weights: dict[str, Tensor], saved: Saved) -> None:
        """Fill an empty directory. TrainingDiverged, and nothing written, for weights that are not finite."""
        ...


class WholeModel(ModelWriter):
    """Writes a stock Hugging Face directory with the tokenizer of `source`."""

    def __init__(self, model: PreTrainedModel, source: Path) -> None:
        self._model, self._source = model, source

    @override
    def write(self, directory: Path, weights: dict[str, Tensor], saved: Saved) -> None:
        saving.write_model(
            directory, self._model, weights, source=self._source, name=saved.name, dtype=saved.dtype
        )
