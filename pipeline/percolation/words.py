"""Which searches have enough of their words in which postings of a batch."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from pipeline.percolation.rows import EVERY, SEGMENT, Rows, Segment, Words
from schemas.records import SavedSearch

_SHORT = 8
"""Queries of up to so many words stand in rows of their own length, longer ones in the next power of two."""
NO_WORD = 0
"""Number of no word: fills rows that are longer than their query, and stands in no posting."""


class WordSegment(Segment):
    """Searches of at most `width` words: the numbers of their words, how many of them are needed, their filters.

    `vector_places`: where else the search stands among `VectorRows`, if it has a vector.
    """

    def __init__(self, width: int, size: int) -> None:
        self.terms = np.zeros((width, size), np.int32)
        self.needed, self.filters, self.vector_places = (np.zeros(size, np.int32) for _ in range(3))
        self.searches = np.empty(size, np.object_)

    @override
    def move(self, row: int, source: Self, source_row: int) -> None:
        """Copy all columns."""
        self.terms[:, row] = source.terms[:, source_row]
        self.needed[row], self.filters[row] = source.needed[source_row], source.filters[source_row]
        self.vector_places[row], self.searches[row] = (
            source.vector_places[source_row],
            source.searches[source_row],
        )

    def terms_of(self, row: int) -> list[int]:
        """The numbers of a row's words."""
        return [int(term) for term in self.terms[:, row] if term != NO_WORD]

    def scan(self, rows: int, present: Words, allowed: Words, most_needed: int) -> Words:
        """For each of the first `rows` searches the postings that hold enough of its words and pass its filters.

        `present`: by number of a word, the postings that it stands in. `allowed`: by number of filters, the postings
        that pass them. The words of all postings of the batch are counted at once: bit j of the counters' binary
        digits is the count of posting j. A counter begins at 2^digits - needed, so that it overflows with the word
        that makes them enough.
        """
        needed = self.needed[:rows]
        enough: Words = np.where(needed == 0, EVERY, np.uint64(0))
        digits = [_as_bits(-needed, digit) for digit in range(max(0, most_needed - 1).bit_length())]
        found, carry = np.empty_like(enough), np.empty_like(enough)
        for terms in self.terms:
            np.take(present, terms[:rows], out=found, mode="clip")
            for digit in digits:
                np.bitwise_and(found, digit, out=carry)
                np.bitwise_xor(digit, found, out=digit)
                found, carry = carry, found
            np.bitwise_or(enough, found, out=enough)
        np.take(allowed, self.filters[:rows], out=found, mode="clip")
        return np.bitwise_and(enough, found, out=enough)


def _as_bits(numbers: NDArray[np.int32], digit: int) -> Words:
    """All ones for each number whose binary digit is one (of a negative number: in two's complement), else zeros."""
    one = -(numbers >> digit & 1).astype(np.int64)
    bits: Words = one.view(np.uint64)
    return bits


class WordPlace(NamedTuple):
    """Where a search stands: the length of its row, and the row's number among those of this length."""

    width: int
    number: int


class WordRows:
    """Searches by the length of their query; `segment`: rows of a segment of short queries."""

    def __init__(self, segment: int = SEGMENT) -> None:
        self._segment = segment
        self._blocks: dict[int, Rows[WordSegment]] = {}
        self._most_needed: dict[int, int] = {}

    def put(self, search: SavedSearch, terms: Sequence[int], needed: int, filters: int) -> WordPlace:
        """Add a search, whose words have the numbers `terms`; its place."""
        width = width_of(len(terms))
        if width not in self._blocks:
            size = max(1, self._segment // max(1, width // _SHORT))
            self._blocks[width] = Rows(lambda: WordSegment(width, size), size)
        segment, row, number = self._blocks[width].add()
        segment.terms[: len(terms), row] = terms
        segment.terms[len(terms) :, row] = NO_WORD
        segment.needed[row], segment.filters[row], segment.searches[row] = needed, filters, search
        self._most_needed[width] = max(needed, self._most_needed.get(width, 0))
        return WordPlace(width, number)

    def at(self, place: WordPlace) -> tuple[WordSegment, int]:
        """The segment and row of a place."""
        return self._blocks[place.width].at(place.number)

    def drop(self, place: WordPlace) -> SavedSearch | None:
        """Drop the search at a place; the search that has taken the place."""
        return self._blocks[place.width].drop(place.number)

    def scan(self, present: Words, allowed: Words) -> Iterator[tuple[WordSegment, NDArray[np.intp], Words]]:
        """The rows that match a posting of the batch, and their postings, segment by segment."""
        for width, block in self._blocks.items():
            for index, segment in enumerate(block):
                found = segment.scan(block.filled(index), present, allowed, self._most_needed[width])
                rows = np.flatnonzero(found)
                if rows.size:
                    yield segment, rows, found[rows]


def width_of(words: int) -> int:
    """The length of the rows in which a query of so many words stands."""
    return words if words <= _SHORT else 1 << (words - 1).bit_length()
