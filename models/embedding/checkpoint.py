"""The directory of an embedder: a stock Hugging Face body, a head in a file of its own, and a card.

Stock loaders read the body and do not see the head.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from models.card import CARD, EMBEDDING, is_embedding, read_card
from models.embedding.head import PoolHead
from models.engine.checkpoint import read_shape
from models.weights import write_weights
from schemas.errors import ConfigError

HEAD = "head.safetensors"
NAME = "embedder@1"
TOKENS = 192


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingCard:
    """How a checkpoint is used: its name in answers, how much of a text it reads, and from which cosine pairs match."""

    name: str = NAME
    tokens: int = TOKENS
    """Most tokens of a query or posting that are read, the end marker included."""
    threshold: float | None = None
    """Cosine of a saved search and a posting from which the posting is a candidate; None: none was derived."""

    def __post_init__(self) -> None:
        if type(self.tokens) is not int or self.tokens < 2:
            raise ConfigError(f"tokens is {self.tokens!r:.40}: give a number of 2 or more")
        if self.threshold is not None and not _is_cosine(self.threshold):
            raise ConfigError(f"threshold is {self.threshold!r:.40}: give null or a cosine between -1 and 1")


def load_card(directory: Path) -> EmbeddingCard:
    """Read a directory's card; ConfigError for a directory of another kind, and for a wrong value."""
    if not is_embedding(directory):
        raise ConfigError(f"{directory / CARD} does not say kind {EMBEDDING!r}: this is no embedder")
    card = read_card(directory)
    try:
        return EmbeddingCard(
            name=str(card.get("name", NAME)),
            tokens=card.get("tokens", TOKENS),
            threshold=card.get("threshold"),
        )
    except ConfigError as error:
        raise ConfigError(f"{directory / CARD}: {error}") from error


def load_head(directory: Path) -> PoolHead:
    """Read the head in fp32; ConfigError if it is missing, damaged or that of a body of another width."""
    path, hidden = directory / HEAD, read_shape(directory).hidden
    try:
        weights = {name: tensor.float() for name, tensor in load_file(path).items()}
        head = PoolHead(hidden, width=len(weights["turn.weight"]))
        head.load_state_dict(weights)
    except (OSError, SafetensorError, KeyError, RuntimeError, TypeError) as error:
        raise ConfigError(f"{path} is not the head of this checkpoint: {error}") from error
    if not all(bool(torch.isfinite(tensor).all()) for tensor in weights.values()):
        raise ConfigError(f"{path} holds numbers that are not finite: train the embedder again")
    return head.eval().requires_grad_(requires_grad=False)


def write_head(directory: Path, weights: dict[str, Tensor], card: EmbeddingCard) -> None:
    """Write head and card into a directory that has the body."""
    write_weights({name: tensor.float().contiguous() for name, tensor in weights.items()}, directory / HEAD)
    write_card(directory, card)


def write_card(directory: Path, card: EmbeddingCard) -> None:
    """Write the card of a directory that has body and head."""
    said: dict[str, Any] = {"name": card.name, "kind": EMBEDDING, "tokens": card.tokens}
    if card.threshold is not None:
        said["threshold"] = card.threshold
    (directory / CARD).write_text(json.dumps(said, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _is_cosine(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1 <= value <= 1
