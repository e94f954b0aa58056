"""BM25 over texts given as lists of words: the one index by words, for pools of candidates and for the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from training.components.arrays import Reals


@dataclass(frozen=True, slots=True, kw_only=True)
class WordIndexConfig:
    """BM25's two constants: `k1` bounds what a word's repetition counts for, `b` how much a text's length does.

    `dtype` is that of the stored scores of single words.
    """

    k1: float = 1.5
    b: float = 0.75
    dtype: Literal["float32", "float64"] = "float32"


class WordIndex:
    """BM25 (Robertson et al.) in Lucene's form, computed by bm25s; document frequencies are those of the texts given."""

    def __init__(self, texts: Sequence[list[str]], config: WordIndexConfig | None = None) -> None:
        """Take texts as words; a text without a word finds no query."""
        import bm25s

        config = config or WordIndexConfig()
        self._nothing: Reals = np.zeros(len(texts), config.dtype)
        self._index: Any = bm25s.BM25(k1=config.k1, b=config.b, method="lucene", dtype=config.dtype)
        self._index.index(texts, show_progress=False)

    def scores(self, words: Sequence[str]) -> Reals:
        """[N] scores of all texts for a query's words; zeros when no text has any of them."""
        known = [number for word in words if (number := self._index.vocab_dict.get(word)) is not None]
        found: Reals = self._index.get_scores_from_ids(known) if known else self._nothing
        return found
