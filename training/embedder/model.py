"""The embedder in training: a small causal body and its head in torch, first weights, and saving.

D hidden, W width, V vocabulary, B texts, T tokens of the longest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import Qwen3ForCausalLM

from models.embedding.checkpoint import EmbeddingCard, write_head
from models.embedding.head import PoolHead
from models.embedding.reading import Texts
from training.components.arrays import Singles
from training.tiny import checkpoint, vocabulary
from training.tiny.checkpoint import TinyShape

SHAPE = TinyShape(layers=3, heads=4, mlp=512)
WIDTH = checkpoint.HIDDEN
PAD = checkpoint.PAD
PARTS = 6


class EmbedderModel(nn.Module):
    """Body and head; texts as ids to unit vectors."""

    def __init__(self, body: Qwen3ForCausalLM, head: PoolHead) -> None:
        super().__init__()
        self.body, self.head = body, head
        self._states: Callable[..., object] = body.model

    def compile(self) -> None:
        """Compile the body's forward and backward pass."""
        self._states = torch.compile(self.body.model, dynamic=True)

    def forward(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """Vectors [B, W] of texts given as ids, in order; computed in PARTS by length, to pad little."""
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        size = -(-len(order) // PARTS)
        groups = [order[start : start + size] for start in range(0, len(order), size)]
        parts = [self._padded([ids[row] for row in group]) for group in groups]
        back = torch.tensor(order).argsort()
        vectors: Tensor = torch.cat(parts)[back]
        return vectors

    def _padded(self, ids: Sequence[Sequence[int]]) -> Tensor:
        width = max(map(len, ids))
        ids_BT = torch.full((len(ids), width), PAD)
        for row, one in enumerate(ids):
            ids_BT[row, : len(one)] = torch.tensor(one)
        lengths = torch.tensor([len(one) for one in ids])
        real_BT = torch.arange(width)[None] < lengths[:, None]
        states: Tensor = self._states(input_ids=ids_BT, use_cache=False).last_hidden_state  # type: ignore[attr-defined]
        text_N = torch.arange(len(ids)).repeat_interleave(lengths)
        vectors: Tensor = self.head(states[real_BT], text_N, len(ids))
        return vectors


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Space:
    """The part of MiniLM's space that the embedder learns: its vectors less their mean, in W directions."""

    mean: Singles
    directions_WD: Singles

    def of(self, vectors: Singles) -> Singles:
        """Unit vectors [., W] of MiniLM's vectors."""
        turned = (vectors - self.mean) @ self.directions_WD.T
        units: Singles = turned / (np.linalg.norm(turned, axis=-1, keepdims=True) + 1e-6)
        return units


def space_of(vectors: Singles, width: int = WIDTH) -> Space:
    """The directions in which these vectors differ most."""
    mean = vectors.mean(0)
    _, directions = np.linalg.eigh(np.cov((vectors - mean).T))
    return Space(mean=mean, directions_WD=directions[:, ::-1][:, :width].T.astype(np.float32))


def new_model(tokenizer: Tokenizer, space: Space, encoder: Path, seed: int) -> EmbedderModel:
    """A model whose vectors are, at first, the mean of what MiniLM gives for each token by itself."""
    tokens = [token for token, _ in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])]
    outputs = vocabulary.outputs(encoder, vocabulary.spelled(encoder, tokens))
    table = space.of(outputs) * vocabulary.EMBEDDING_STD * WIDTH**0.5
    body = checkpoint.new_model(table.astype(np.float32), SHAPE, torch.Generator().manual_seed(seed))
    return EmbedderModel(body, PoolHead(checkpoint.HIDDEN, WIDTH))


def save(model: EmbedderModel, tokenizer: Tokenizer, out: Path, card: EmbeddingCard) -> None:
    """Write a checkpoint directory; TrainingDiverged, and nothing written, for weights that are not finite."""
    checkpoint.save(model.body, tokenizer, out, card.name)
    write_head(out, model.head.state_dict(), card)


def texts_of(tokenizer: Tokenizer, card: EmbeddingCard) -> Texts:
    """The reader that training and use share."""
    return Texts(tokenizer, card.tokens, checkpoint.EOS)
