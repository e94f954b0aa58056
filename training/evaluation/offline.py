"""Checkpoints in plain transformers, without the engine: scores of a ranker and greedy summaries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel
from typing_extensions import override

from models.engine.stock import open_stock
from models.length_batches import length_batches
from models.prompts import Prompter
from schemas.errors import ConfigError
from training.components.arrays import Floats
from training.evaluation.scorers import Asked, LogitScorer

BATCH_TOKENS = 16_384


class TransformersScorer(LogitScorer):
    """Equation (2) in plain transformers, fp32, on padded batches of like length.

    There are two scorers that compute because they answer different needs: `EngineScorer` is the code that serves,
    and quick; this one takes a model in memory that a caller has just changed (blocks removed, a step trained), and
    shares no code with the engine, so that tests hold the engine's scores against it.
    """

    def __init__(self, model: PreTrainedModel, prompter: Prompter) -> None:
        self._model, self.prompter = model.eval(), prompter

    @classmethod
    def from_dir(cls, checkpoint: Path) -> TransformersScorer:
        """The ranker of a directory."""
        return cls(load(checkpoint), Prompter.from_dir(checkpoint))

    @property
    @override
    def settings(self) -> dict[str, Any]:
        """The number of parameters stands in the place of a name, since the caller may have changed the model."""
        return {"scores": "transformers", "parameters": self._model.num_parameters(), "dtype": "float32"}

    @override
    def differences(self, asked: Sequence[Asked]) -> list[Floats]:
        """Compute every prompt whole, its prefix too, in padded batches of at most BATCH_TOKENS.

        ConfigError for a score that is not finite: such a model ranks nothing.
        """
        items = iter(self.prompter.item_ids_many([item for _, items in asked for item in items]))
        prompts = [self.prompter.prefix_ids(query) + next(items) for query, rows in asked for _ in rows]
        flat_N = np.zeros(len(prompts))
        for rows in length_batches([len(p) for p in prompts], BATCH_TOKENS):
            flat_N[rows] = self._batch([prompts[row] for row in rows])
        if not np.isfinite(flat_N).all():
            count = int((~np.isfinite(flat_N)).sum())
            raise ConfigError(f"the model gives {count} of {len(flat_N)} pairs no finite score")
        return np.split(flat_N, np.cumsum([len(rows) for _, rows in asked])[:-1])

    @torch.inference_mode()
    def _batch(self, prompts: list[list[int]]) -> Floats:
        width = max(map(len, prompts))
        ids = torch.tensor([p + [0] * (width - len(p)) for p in prompts])
        hidden = self._model.model(input_ids=ids, use_cache=False).last_hidden_state
        last = hidden[torch.arange(len(prompts)), torch.tensor([len(p) - 1 for p in prompts])]
        yes, no = self.prompter.label_ids
        table = self._model.lm_head.weight
        difference: Floats = (last @ (table[yes] - table[no])).double().numpy()
        return difference


def load(checkpoint: Path) -> PreTrainedModel:
    """A checkpoint in fp32 on the CPU; ConfigError for a directory that would not be served."""
    model: PreTrainedModel = open_stock(checkpoint)[0]
    return model
