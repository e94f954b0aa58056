"""Which searches mean what which postings of a batch say: an int8 scan that leaves out no pair, then exact checks."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Self

import numkong
import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from pipeline.percolation.meaning import WIRE, QueryVector
from pipeline.percolation.rows import SEGMENT, Rows, Segment, Words
from schemas.records import SavedSearch

_STEPS = 127
_CHUNK = 1_024
"""Rows that are multiplied at once: their products with 64 postings stay in a core's second-level cache."""
_SPARSE = 0.5
"""Below this share of rows with a posting that passes their filters, the others are left out of the product."""
_SLACK = 4.0
"""Steps by which a bound is lowered for the rounding of its own arithmetic in float32."""


class Quantized(NamedTuple):
    """Rows as whole steps of -127 to 127, how long each step is, and the length of what the rounding left out."""

    steps: NDArray[np.int8]
    step: NDArray[np.float64]
    rest: NDArray[np.float64]


def quantized(rows: NDArray[np.floating[Any]], *, one_step: bool = False) -> Quantized:
    """Round rows `(n, width)` to whole steps; `one_step`: of the same length for all rows."""
    wide = rows.astype(np.float64)
    largest = np.abs(wide).max(axis=1, initial=0.0)
    if one_step:
        largest[:] = largest.max(initial=0.0)
    step = np.where(largest > 0, largest, 1.0) / _STEPS
    steps = np.rint(wide / step[:, None])
    rest = np.linalg.norm(wide - steps * step[:, None], axis=1)
    return Quantized(steps.astype(np.int8), step, rest)


class PostingVectors:
    """The vectors of a batch's postings; zeros for those that have none to compare with."""

    def __init__(self, vectors: Sequence[bytes], width: int) -> None:
        none = bytes(width * WIRE.itemsize)
        joined = b"".join(vector if len(vector) == len(none) else none for vector in vectors)
        self.exact = np.frombuffer(joined, WIRE).reshape(len(vectors), width)
        rows = quantized(self.exact, one_step=True)
        self.packed = numkong.dots_pack(rows.steps, dtype="int8")
        self.step = float(rows.step[0])
        self.rest = float(rows.rest.max())
        self.length = float(np.linalg.norm(self.exact.astype(np.float64), axis=1).max())


class VectorSegment(Segment):
    """Searches with vectors: rounded and exact, the filters, and what bounds a pair's similarity from above.

    The exact similarity of q and p differs from that of their rounded vectors by |q - q'| |p| + |q'| |p - p'| at most
    (Cauchy and Schwarz). So a pair that reaches the threshold has a product of whole steps of at least
    `(threshold - that) / (step of q * step of p)`, and no pair below that can.
    """

    def __init__(self, width: int, size: int) -> None:
        self.steps = np.zeros((size, width), np.int8)
        self.exact = np.zeros((size, width), WIRE)
        self.thresholds = np.zeros(size, np.float64)
        #: threshold, rest and length, each in steps of the row
        self.bounds = np.zeros((3, size), np.float32)
        self.filters = np.zeros(size, np.int32)
        self.searches = np.empty(size, np.object_)

    @override
    def move(self, row: int, source: Self, source_row: int) -> None:
        """Copy all columns."""
        for mine, other in ((self.steps, source.steps), (self.exact, source.exact)):
            mine[row] = other[source_row]
        self.bounds[:, row] = source.bounds[:, source_row]
        self.thresholds[row] = source.thresholds[source_row]
        self.filters[row], self.searches[row] = source.filters[source_row], source.searches[source_row]

    def put(self, row: int, search: SavedSearch, query: QueryVector, filters: int) -> None:
        """Set a row."""
        self.exact[row] = np.frombuffer(query.vector, WIRE)
        rounded = quantized(self.exact[row : row + 1])
        step = float(rounded.step[0])
        self.steps[row], self.thresholds[row] = rounded.steps[0], query.threshold
        length = float(np.linalg.norm(rounded.steps[0].astype(np.float64)))
        self.bounds[:, row] = query.threshold / step, float(rounded.rest[0]) / step, length
        self.filters[row], self.searches[row] = filters, search

    def scan(self, rows: int, postings: PostingVectors, allowed: Words) -> tuple[NDArray[np.intp], Words]:
        """Of the first `rows` searches those that may reach their threshold, and in which of the allowed postings.

        `allowed`: by number of filters, the postings that pass them and have a vector to compare.
        """
        passing = np.take(allowed, self.filters[:rows], mode="clip")
        found = np.zeros(rows, np.uint64)
        least = self._least(rows, postings)
        for start in range(0, rows, _CHUNK):
            chunk = slice(start, min(start + _CHUNK, rows))
            alive = np.flatnonzero(passing[chunk])
            if alive.size < _SPARSE * (chunk.stop - start):
                alive += start
                found[alive] = _reaching(self.steps[alive], postings, least[alive])
            else:
                found[chunk] = _reaching(self.steps[chunk], postings, least[chunk])
        found &= passing
        hits = np.flatnonzero(found)
        return hits, found[hits]

    def _least(self, rows: int, postings: PostingVectors) -> NDArray[np.int32]:
        threshold, rest, length = self.bounds[:, :rows]
        least = (
            threshold - rest * np.float32(postings.length) - length * np.float32(postings.rest)
        ) / np.float32(postings.step)
        whole: NDArray[np.int32] = np.floor(np.clip(least, -2e9, 2e9) - _SLACK).astype(np.int32)
        return whole


def _reaching(steps: NDArray[np.int8], postings: PostingVectors, least: NDArray[np.int32]) -> Words:
    """As bits, for each row the postings whose product with it is at least `least`."""
    words = np.zeros((len(steps), 8), np.uint8)
    if len(steps):
        products = np.asarray(numkong.dots_packed(steps, postings.packed))
        bits = np.packbits(products >= least[:, None], axis=1, bitorder="little")
        words[:, : bits.shape[1]] = bits
    return words.view(np.uint64)[:, 0]


class VectorRows:
    """Searches whose vectors are of one embedder and one width; `segment`: rows of a segment."""

    def __init__(self, width: int, segment: int = SEGMENT) -> None:
        self._rows = Rows(lambda: VectorSegment(width, segment), segment)

    def put(self, search: SavedSearch, query: QueryVector, filters: int) -> int:
        """Add a search; its place."""
        segment, row, number = self._rows.add()
        segment.put(row, search, query, filters)
        return number

    def drop(self, place: int) -> SavedSearch | None:
        """Drop the search at a place; the search that has taken the place."""
        return self._rows.drop(place)

    def at(self, place: int) -> tuple[VectorSegment, int]:
        """The segment and row of a place."""
        return self._rows.at(place)

    def scan(
        self, postings: PostingVectors, allowed: Words
    ) -> Iterator[tuple[VectorSegment, NDArray[np.intp], Words]]:
        """The rows that may match a posting of the batch, and their postings, segment by segment."""
        for index, segment in enumerate(self._rows):
            rows, found = segment.scan(self._rows.filled(index), postings, allowed)
            if rows.size:
                yield segment, rows, found
