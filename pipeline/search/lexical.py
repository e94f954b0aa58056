"""`TermIndex`: BM25 over the terms of postings, exact after each change, for rows of a table that others fill too."""

from array import array
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from pipeline.search.growing import grown

#: Lucene's defaults: how soon a repeated term stops to count, and how much longer texts lose.
K1, B = 1.2, 0.75


class TermIndex:
    """Which row holds which term how often. `scores` reads every posting of each asked term: nothing is left out.

    BM25 in Lucene's form: idf = ln(1 + (n - df + 0.5) / (df + 0.5)), over the rows that are held now.
    """

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._rows: list[array[int]] = []
        self._counts: list[array[int]] = []
        self._terms_of: dict[int, array[int]] = {}
        self._lengths = np.zeros(0, np.float32)
        self._length_sum = 0.0

    def put(self, row: int, counts: Mapping[str, int]) -> None:
        """Add a row that is not held, with how often each of its terms counts (1 to 255)."""
        ids = array("I", [self._id(term) for term in counts])
        for number, count in zip(ids, counts.values(), strict=True):
            self._rows[number].append(row)
            self._counts[number].append(count)
        self._terms_of[row] = ids
        self._lengths = grown(self._lengths, row + 1)
        self._lengths[row] = length = sum(counts.values())
        self._length_sum += length

    def drop(self, row: int) -> None:
        """Forget a row that is held: the last entry of each of its terms takes the place of the row's."""
        for number in self._terms_of.pop(row):
            rows, counts = self._rows[number], self._counts[number]
            at = int(np.flatnonzero(np.frombuffer(rows, np.uint32) == row)[0])
            rows[at], counts[at] = rows[-1], counts[-1]
            rows.pop()
            counts.pop()
        self._length_sum -= float(self._lengths[row])

    def scores(self, terms: AbstractSet[str], rows: int) -> NDArray[np.float32]:
        """BM25 of the first `rows` rows; 0 for a row that holds none of the terms."""
        total = np.zeros(rows, np.float32)
        held = len(self._terms_of)
        average = self._length_sum / held if held else 1.0
        for number in self._known(terms):
            found = np.frombuffer(self._rows[number], np.uint32)
            counts = np.frombuffer(self._counts[number], np.uint8).astype(np.float32)
            idf = np.log1p((held - len(found) + 0.5) / (len(found) + 0.5))
            norm = K1 * (1 - B + B * self._lengths[found] / average)
            total[found] += idf * counts / (counts + norm)
        return total

    def holding(self, term: str) -> NDArray[np.uint32]:
        """The rows that hold a term, in no order."""
        number = self._ids.get(term)
        return np.zeros(0, np.uint32) if number is None else np.array(self._rows[number], np.uint32)

    def _known(self, terms: Iterable[str]) -> Iterable[int]:
        return (
            self._ids[term] for term in sorted(terms) if term in self._ids and self._rows[self._ids[term]]
        )

    def _id(self, term: str) -> int:
        number = self._ids.setdefault(term, len(self._rows))
        if number == len(self._rows):
            self._rows.append(array("I"))
            self._counts.append(array("B"))
        return number
