"""Searches whose vectors can be compared with each other's postings, or that have none: where each of them stands."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.percolation.filters import Filters
from pipeline.percolation.meaning import WIRE, QueryVector, exact_similarities
from pipeline.percolation.rows import SEGMENT, Words
from pipeline.percolation.vectors import PostingVectors, VectorRows
from pipeline.percolation.words import WordPlace, WordRows
from schemas.records import SavedSearch

_PAIRS = 8_192
"""Pairs whose similarity is computed at once: 16 MiB of float64 at a width of 256."""


class Kind(NamedTuple):
    """The embedder and the bytes of the vectors in a table; `NO_VECTORS`: its searches have none."""

    model: str
    size: int


NO_VECTORS = Kind("", 0)


class WordHits(NamedTuple):
    """Searches, and the postings of the batch that each is a candidate for."""

    searches: NDArray[np.object_]
    postings: Words


class VectorHits(NamedTuple):
    """Pairs of a search and the place of a posting in the batch, with their similarity."""

    searches: NDArray[np.object_]
    places: NDArray[np.intp]
    similarities: NDArray[np.float64]


class Table:
    """Each search stands in a row of words; one with a vector also in a row of vectors, for postings of its kind."""

    def __init__(self, kind: Kind, filters: Filters, segment: int = SEGMENT) -> None:
        self.words = WordRows(segment)
        self._vectors = VectorRows(kind.size // WIRE.itemsize, segment) if kind.size else None
        self._filters = filters
        self._places: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, search_id: str) -> bool:
        return search_id in self._places

    def put(self, search: SavedSearch, terms: Sequence[int], needed: int, query: QueryVector | None) -> None:
        """Add a search that is not in the table."""
        filters = self._filters.take(search)
        place = self.words.put(search, terms, needed, filters)
        self._places[search.search_id] = _packed(place)
        if self._vectors is not None and query is not None:
            segment, row = self.words.at(place)
            segment.vector_places[row] = self._vectors.put(search, query, filters)

    def drop(self, search_id: str) -> list[int]:
        """Drop a search that is in the table; the numbers of its words."""
        place = _unpacked(self._places.pop(search_id))
        segment, row = self.words.at(place)
        terms, vector_place = segment.terms_of(row), int(segment.vector_places[row])
        self._filters.release(int(segment.filters[row]))
        if (moved := self.words.drop(place)) is not None:
            self._places[moved.search_id] = _packed(place)
        if self._vectors is not None and (moved := self._vectors.drop(vector_place)) is not None:
            segment, row = self.words.at(_unpacked(self._places[moved.search_id]))
            segment.vector_places[row] = vector_place
        return terms

    def vector_of(self, search_id: str) -> tuple[bytes, float] | None:
        """The vector and the threshold of a search that is in the table."""
        if self._vectors is None:
            return None
        segment, row = self.words.at(_unpacked(self._places[search_id]))
        rows, row = self._vectors.at(int(segment.vector_places[row]))
        return rows.exact[row].tobytes(), float(rows.thresholds[row])

    def by_words(self, present: Words, allowed: Words) -> Iterator[WordHits]:
        """The searches that match by their words; both arguments as in `WordSegment.scan`."""
        for segment, rows, postings in self.words.scan(present, allowed):
            passing = self._filters.passing(segment.filters[rows], postings)
            yield WordHits(segment.searches[rows], passing)

    def by_vectors(self, postings: PostingVectors, allowed: Words) -> Iterator[VectorHits]:
        """The pairs that match by their vectors; both arguments as in `VectorSegment.scan`."""
        if self._vectors is None:
            return
        exact = postings.exact.astype(np.float64)
        for segment, rows, near in self._vectors.scan(postings, allowed):
            passing = self._filters.passing(segment.filters[rows], near)
            which, places = pairs_of(passing)
            for start in range(0, which.size, _PAIRS):
                some = slice(start, start + _PAIRS)
                chosen, at = rows[which[some]], places[some]
                similar = exact_similarities(segment.exact[chosen].astype(np.float64), exact[at])
                good = similar >= segment.thresholds[chosen]
                yield VectorHits(segment.searches[chosen[good]], at[good], similar[good])


def pairs_of(postings: Words) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and places of the set bits."""
    bits = np.unpackbits(postings.view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
    rows, places = np.nonzero(bits)
    return rows, places


def _packed(place: WordPlace) -> int:
    """One number, which takes a third of the memory of the pair."""
    return place.number << 32 | place.width


def _unpacked(packed: int) -> WordPlace:
    return WordPlace(packed & 0xFFFFFFFF, packed >> 32)
