"""Titles and clauses of postings as MiniLM's vectors, and the cosines of all of them with a wording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from training.components.arrays import Ints, Singles
from training.tiny.ranker.real_pool import MarkedPosting
from training.tiny.ranker.text_vectors import TextVectors


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wording:
    """Words of a query and their vector [384]."""

    text: str
    vector: Singles


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WordingBank:
    """Wordings from outside the postings, such as ESCO's skills, and their vectors [wordings, 384]."""

    texts: tuple[str, ...]
    vectors: Singles

    def near(self, vector: Singles, count: int, least: float) -> list[Wording]:
        """The `count` nearest wordings whose cosine is `least` or more, nearest first."""
        cosines = self.vectors @ vector
        best = np.argsort(-cosines)[:count]
        return [Wording(text=self.texts[i], vector=self.vectors[i]) for i in best if cosines[i] >= least]


class ClauseIndex:
    """A random part of the postings, so many that they have about `most` distinct clauses."""

    def __init__(self, name: str, sources: Sequence[MarkedPosting], vectors: TextVectors, most: int) -> None:
        self.postings, numbers = _part(sources, most)
        rows = [numbers[text] for one in self.postings for text in clause_texts(one)]
        self._rows: Ints = np.array(rows, dtype=np.int64)
        sizes = [len(one.clauses) for one in self.postings]
        self._starts: Ints = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.texts = tuple(numbers)
        self.frequency = Counter(rows)
        self._titles = vectors.of(f"{name}, titles", [one.title for one in self.postings])
        self.vectors = vectors.of(f"{name}, clauses", self.texts)

    def title_vector(self, posting: int) -> Singles:
        """The vector [384] of a posting's title."""
        vector: Singles = self._titles[posting]
        return vector

    def clauses_of(self, posting: int) -> Ints:
        """The numbers of a posting's clauses in `texts` and `vectors`, in the order of its text."""
        return self._rows[self._starts[posting] : self._starts[posting + 1]]

    def title_cosines(self, vector: Singles) -> Singles:
        """Cosines [postings] of all titles."""
        cosines: Singles = self._titles @ vector
        return cosines

    def clause_cosines(self, vector: Singles) -> Singles:
        """Cosines [distinct clauses]."""
        cosines: Singles = self.vectors @ vector
        return cosines

    def highest(self, clause_values: Singles) -> Singles:
        """For each posting [postings] the highest value of its clauses."""
        highest: Singles = np.maximum.reduceat(clause_values[self._rows], self._starts[:-1])
        return highest


def clause_texts(posting: MarkedPosting) -> list[str]:
    """The texts of a posting's clauses."""
    return [posting.text[start:stop] for _, _, start, stop in posting.clauses.tolist()]


def _part(sources: Sequence[MarkedPosting], most: int) -> tuple[tuple[MarkedPosting, ...], dict[str, int]]:
    """Postings with a title and clauses in an order of chance, the same in all processes; numbers by clause."""
    numbers: dict[str, int] = {}
    chosen = []
    for one in Random(0).sample(sources, len(sources)):
        if len(numbers) >= most:
            break
        if one.title and len(one.clauses):
            chosen.append(one)
            for text in clause_texts(one):
                numbers.setdefault(text, len(numbers))
    return tuple(chosen), numbers
