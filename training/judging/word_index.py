"""A BM25 index over postings, to find candidates for a query."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from training.components.arrays import Singles

_WORD = re.compile(r"[a-z0-9+#.]*[a-z0-9+#]")


_EMPTY = frozenset(
    [
        "a",
        "an",
        "the",
        "and",
        "or",
        "of",
        "to",
        "in",
        "for",
        "on",
        "at",
        "by",
        "with",
        "from",
        "as",
        "i",
        "my",
        "is",
        "are",
        "any",
        "want",
        "work",
        "looking",
        "job",
        "jobs",
    ]
)


class Bm25:
    """BM25 (Robertson, Lucene's variant, k1 1.5, b 0.75) over texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        import bm25s

        self._size = len(texts)
        self._index: Any = bm25s.BM25()
        self._index.index([_words(text) or ["-"] for text in texts], show_progress=False)
        self._known = frozenset(self._index.vocab_dict)

    def scores(self, query: str) -> Singles:
        """[N] scores of all texts."""
        words = [word for word in _words(query) if word in self._known]
        return (
            np.asarray(self._index.get_scores(words), np.float32)
            if words
            else np.zeros(self._size, np.float32)
        )


def _words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.lower()) if word not in _EMPTY]
