"""`VectorTable`: the postings nearest to a query, found by reading every vector: exact, without an approximate index.

A vector is kept twice: as eight-bit numbers with a scale, which one pass multiplies with the query, and as float16, by
which the rows are compared that the pass cannot tell apart. What the eight bits lose of each vector is known, so the
result is that of comparing all vectors in float16 (LiNR's semantics: filter first, read all, exact).
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.search.growing import grown
from pipeline.search.scan import scan

#: Numbers of a vector's eight-bit form: -LEVELS to LEVELS.
LEVELS = 127
#: Below this share of rows that the filters let through, those rows are gathered before they are read.
GATHER = 0.25


class VectorTable:
    """Unit vectors of one model by row. Not for several threads at once."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.held = 0
        self._there = np.zeros(0, np.bool_)
        self._codes = np.zeros((0, width), np.int8)
        self._scales = np.zeros(0, np.float32)
        self._lost = np.zeros(0, np.float32)
        self._exact = np.zeros((0, width), np.float16)

    def put(self, row: int, vector: NDArray[np.float16]) -> None:
        """Set a row's vector; ValueError for one of another width."""
        if vector.shape != (self.width,):
            raise ValueError(f"a vector of {vector.size} numbers in a table of {self.width}")
        self._grow(row + 1)
        wide = vector.astype(np.float32)
        codes, self._scales[row] = quantized(wide)
        self._codes[row], self._exact[row] = codes, vector
        self._lost[row] = np.linalg.norm(wide - codes * self._scales[row])
        self.held += not self._there[row]
        self._there[row] = True

    def drop(self, row: int) -> None:
        """Forget a row's vector; nothing to do where it has none."""
        if row < len(self._there) and self._there[row]:
            self._there[row] = False
            self.held -= 1

    def count(self, allowed: NDArray[np.bool_]) -> int:
        """How many of the allowed rows have a vector."""
        return len(self._rows(allowed))

    def nearest(
        self, query: NDArray[np.float32], allowed: NDArray[np.bool_], most: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The allowed rows with the highest similarity, best first, and the similarities; of equal ones the lower row.

        `allowed`: by row; rows behind its end are not allowed.
        """
        rows = self._rows(allowed)
        if not len(rows):
            return rows, np.zeros(0, np.float32)
        if len(rows) > most:
            rows = rows[self._possible(query, rows, most)]
        exact = self._exact[rows].astype(np.float32) @ query
        order = np.lexsort((rows, -exact))[:most]
        return rows[order], exact[order]

    def _rows(self, allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
        until = min(len(allowed), len(self._there))
        return np.flatnonzero(allowed[:until] & self._there[:until])

    def _possible(self, query: NDArray[np.float32], rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
        """The places in `rows` of those that may be among the `most` nearest."""
        codes, scale = quantized(query)
        lost = np.float32(np.linalg.norm(query - codes * scale))
        if len(rows) < GATHER * len(self._codes):
            products = scan(codes, self._codes[rows])
        else:
            products = scan(codes, self._codes[: rows[-1] + 1])[rows]
        about = products * (scale * self._scales[rows])
        # |q.v - q'.v'| <= |q'||v - v'| + |q - q'||v|, and a float16 unit vector is hardly longer than 1
        off = self._lost[rows] * np.float32(np.linalg.norm(codes * scale)) + lost * np.float32(1.001) + 1e-5
        least = np.partition(about - off, -most)[-most]
        return np.flatnonzero(about + off >= least)

    def _grow(self, rows: int) -> None:
        self._there, self._codes = grown(self._there, rows), grown(self._codes, rows)
        self._scales, self._lost = grown(self._scales, rows), grown(self._lost, rows)
        self._exact = grown(self._exact, rows)


def quantized(vector: NDArray[np.float32]) -> tuple[NDArray[np.int8], np.float32]:
    """A vector as eight-bit numbers, and by what they are multiplied."""
    scale = np.float32(np.abs(vector).max(initial=0.0) / LEVELS)
    if scale == 0:
        return np.zeros(vector.shape, np.int8), scale
    return np.rint(vector / scale).astype(np.int8), scale
