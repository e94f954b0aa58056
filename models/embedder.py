"""Vectors of queries and postings, near each other where a posting answers a query: what semantic matching compares."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from models.vectors import pack
from schemas.characters import fold
from schemas.errors import ConfigError


class Embedder(Protocol):
    """Makes unit vectors; vectors of two models, or of two widths, are never compared. Any thread may call it.

    Each value is the unit vector as little-endian float16 (`models.vectors`), or b"" for a text that has none: nothing
    to embed in it, or refused by the model. Both methods raise ModelUnavailable during an outage, for all texts.
    """

    @property
    def model(self) -> str:
        """Name of the model that gave the latest answer, as `embedder@1`; "" before a remote one's first answer."""
        ...

    @property
    def width(self) -> int:
        """Numbers in each vector; 0 before a remote embedder's first answer."""
        ...

    def embed_queries(self, texts: Sequence[str], deadline_s: float) -> list[bytes]:
        """Return the vector of each query, which is what a person searches for, in order."""
        ...

    def embed_postings(self, texts: Sequence[str], deadline_s: float) -> list[bytes]:
        """Return the vector of each `prompts.embedder_input`, in order."""
        ...


WIDTH = 256
MOST_WORDS = 1_000_000
_WORDS = re.compile(r"[^\W_]+[+#]*")
_STEM = 5
"""Letters of a word that count: "nurse", "nurses" and "nursing" share most of them."""


class HashingEmbedder(Embedder):
    """Stand-in without a model: each word adds to one hashed place of the vector, longer words more.

    So the similarity of two texts is that of their words. Deterministic on every machine.
    """

    def __init__(self, width: int = WIDTH, model: str = "hashing@1") -> None:
        """Raise ConfigError for a width below 1."""
        if width < 1:
            raise ConfigError(f"an embedder's width must be 1 or more, not {width}")
        self._width, self._model = width, model

    @property
    @override
    def model(self) -> str:
        """The name that it was given."""
        return self._model

    @property
    @override
    def width(self) -> int:
        """The width that it was given."""
        return self._width

    @override
    def embed_queries(self, texts: Sequence[str], deadline_s: float) -> list[bytes]:
        """Embed a query by its words; the deadline plays no part."""
        del deadline_s
        return self._embed(texts)

    @override
    def embed_postings(self, texts: Sequence[str], deadline_s: float) -> list[bytes]:
        """Embed a posting by its words; the deadline plays no part."""
        del deadline_s
        return self._embed(texts)

    def token_counts(self, texts: Sequence[str], *, queries: bool) -> list[int]:
        """Count words, of queries and postings alike."""
        del queries
        return [len(_WORDS.findall(text)) for text in texts]

    @property
    def context_tokens(self) -> int:
        """More words than any text has: all of them are read."""
        return MOST_WORDS

    def _embed(self, texts: Sequence[str]) -> list[bytes]:
        rows = np.zeros((len(texts), self._width), np.float32)
        for row, text in zip(rows, texts, strict=True):
            self._add(row, set(_WORDS.findall(fold(text))))
        return pack(rows)

    def _add(self, row: NDArray[np.float32], words: set[str]) -> None:
        for word in words:
            place, sign = _place(word[:_STEM])
            row[place % self._width] += sign * min(len(word), 2 * _STEM)


@lru_cache(maxsize=65_536)
def _place(word: str) -> tuple[int, int]:
    """A word's place, before it is cut to a width, and the sign by which words of one place cancel out on average."""
    number = int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little")
    return number >> 1, 1 if number & 1 else -1
