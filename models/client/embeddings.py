"""Which model of a server embeds, and its answers: OpenAI's shape, checked."""

from __future__ import annotations

import base64
import binascii
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from models.client.responses import Misconfigured, Naming, ServedModel, SuspectInput
from models.vectors import pack
from schemas.errors import ModelUnavailable

MOST_WIDTH = 8_192
"""Widest vectors that are taken, 16 KiB a record; the widest of known embedders have 4,096 numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vectors:
    """The vectors of one answer, the model that it names and their width; no model and 0 if all texts were refused."""

    model: str
    width: int
    vectors: list[bytes]

    def joined(self, other: Vectors) -> Vectors:
        """Both answers as one; ModelUnavailable if two models gave them."""
        if self.width and other.width and (self.model, self.width) != (other.model, other.width):
            raise ModelUnavailable(f"the embedder changed during one request: {self.model} to {other.model}")
        told = self if self.width else other
        return Vectors(model=told.model, width=told.width, vectors=self.vectors + other.vectors)


class EmbedderNaming(Naming):
    """The model that somebody named, else the one that the server's list shows to embed."""

    def __init__(self, model: str | None) -> None:
        self._model = model
        self.is_ours = False
        """Whether the list was that of a server of ours, which takes fields that OpenAI has not."""

    @override
    def given(self) -> str | None:
        """The name that somebody gave."""
        return self._model

    @override
    def find(self, answer: dict[str, Any]) -> ServedModel:
        """Find the model whose card says that it embeds, else `embedder@N`, else the only one."""
        cards = [card for card in answer.get("data") or [] if isinstance(card, dict)]
        embedding = [card for card in cards if card.get("task") == "embeddings"]
        named = [card for card in cards if str(card.get("id")).partition("@")[0] == "embedder"]
        found = embedding or named or cards
        if len(found) != 1:
            names = [card.get("id") for card in cards]
            raise Misconfigured(
                f"the server lists {names}: say which one embeds, by ?model=NAME behind the URL"
                if cards
                else "the server lists no model: is an embedder served there, by --embedder DIR?"
            )
        self.is_ours = bool(embedding)
        return ServedModel(name=str(found[0].get("id")), asked_at=time.monotonic())

    @override
    def check(self, answer: dict[str, Any]) -> None:
        """Take any name: servers answer with aliases and paths. It stands beside each vector."""
        if not isinstance(answer.get("model"), str) or not answer["model"]:
            raise Misconfigured(
                "the answer names no model, so that its vectors could not be told from others"
            )


def read_vectors(answer: dict[str, Any], texts: int) -> Vectors:
    """Return the vectors of an answer in the texts' order; SuspectInput for an answer without those."""
    rows = answer.get("data")
    if not isinstance(rows, list) or len(rows) != texts or not all(isinstance(row, dict) for row in rows):
        raise SuspectInput(f"{texts} embeddings expected, found {rows!s:.80}")
    if sorted(str(row.get("index", at)) for at, row in enumerate(rows)) != sorted(map(str, range(texts))):
        raise SuspectInput("each text's embedding expected once")
    ordered = sorted(enumerate(rows), key=lambda pair: int(pair[1].get("index", pair[0])))
    numbers = [_numbers(row.get("embedding")) for _, row in ordered]
    widths = {len(one) for one in numbers}
    if len(widths) != 1 or not 0 < (width := widths.pop()) <= MOST_WIDTH:
        raise SuspectInput(f"vectors of one width up to {MOST_WIDTH} expected")
    return Vectors(model=str(answer["model"]), width=width, vectors=pack(np.stack(numbers)))


def _numbers(embedding: object) -> NDArray[np.float64]:
    """One embedding, which is a list of numbers or little-endian float32 in base64."""
    try:
        if isinstance(embedding, str):
            packed = base64.b64decode(embedding, validate=True)
            return np.frombuffer(packed, "<f4").astype(np.float64)
        if isinstance(embedding, list) and all(type(number) in (int, float) for number in embedding):
            return np.array(embedding, np.float64)
    except (binascii.Error, ValueError, OverflowError) as error:
        raise SuspectInput(f"an embedding that cannot be read: {error}") from error
    raise SuspectInput(f"an embedding is a list of numbers or base64, found {embedding!r:.80}")
