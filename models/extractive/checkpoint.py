"""The directory of an extractive summarizer: a stock Hugging Face body, a head in a file of its own, and a card.

Stock loaders read the body and do not see the head.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from models.card import CARD, EXTRACTIVE, is_extractive, read_card
from models.engine.checkpoint import read_shape
from models.extractive.head import PhraseHead
from models.weights import write_weights
from schemas.errors import ConfigError

HEAD = "head.safetensors"
NAME = "summarizer@3"
SHARE = 0.07


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """How a checkpoint is used: its name in answers, how much of a text it keeps, and from which logit on."""

    name: str = NAME
    share: float = SHARE
    """Tokens of a summary as a share of the text's; what is asked of it unless a request allows less."""
    threshold: float | None = None
    """Phrases of a lower logit are left out even if there is room; None: the budget alone decides."""

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ConfigError(f"share is {self.share}: give more than 0 and at most 1")


def load_card(directory: Path) -> Card:
    """Read a directory's card; ConfigError for a directory of another kind, and for a wrong value."""
    if not is_extractive(directory):
        raise ConfigError(
            f"{directory / CARD} does not say kind {EXTRACTIVE!r}: this is no extractive summarizer"
        )
    card = read_card(directory)
    share, threshold = card.get("share", SHARE), card.get("threshold")
    if not _is_number(share) or not (threshold is None or _is_number(threshold)):
        raise ConfigError(f"{directory / CARD}: share and threshold must be numbers")
    return Card(name=str(card.get("name", NAME)), share=share, threshold=threshold)


def load_head(directory: Path) -> PhraseHead:
    """Read the head in fp32; ConfigError if it is missing, damaged or that of a body of another width."""
    path, hidden = directory / HEAD, read_shape(directory).hidden
    try:
        weights = {name: tensor.float() for name, tensor in load_file(path).items()}
        head = PhraseHead(hidden, width=len(weights["mix.bias"]))
        head.load_state_dict(weights)
    except (OSError, SafetensorError, KeyError, RuntimeError, TypeError) as error:
        raise ConfigError(f"{path} is not the head of this checkpoint: {error}") from error
    if not all(bool(torch.isfinite(tensor).all()) for tensor in weights.values()):
        raise ConfigError(f"{path} holds numbers that are not finite: train the summarizer again")
    return head.eval().requires_grad_(requires_grad=False)


def write_head(directory: Path, weights: dict[str, Tensor], card: Card) -> None:
    """Write head and card into a directory that has the body."""
    write_weights({name: tensor.float().contiguous() for name, tensor in weights.items()}, directory / HEAD)
    said = {"name": card.name, "kind": EXTRACTIVE, "share": card.share}
    if card.threshold is not None:
        said["threshold"] = card.threshold
    (directory / CARD).write_text(json.dumps(said, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
