"""Rows of searches in segments of arrays: what one batch of postings is compared with, column by column."""

from collections.abc import Callable
from typing import Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from schemas.records import SavedSearch

SEGMENT = 16_384
"""Rows of a segment: the arrays that a scan works on then stay in a core's second-level cache."""

Words = NDArray[np.uint64]
"""For each of many things the postings of a batch that it holds for: bit j stands for posting j."""

BATCH = 64
"""Postings of a batch at most: the bits of one word."""
EVERY = np.uint64(2**64 - 1)


class Segment(Protocol):
    """Searches as arrays with a row for each."""

    searches: NDArray[np.object_]

    def move(self, row: int, source: Self, source_row: int) -> None:
        """Copy a row of another segment of the same kind into a row of this one."""
        ...


S = TypeVar("S", bound=Segment)


class Rows(list[S]):
    """Segments of `size` rows that are full but for the last one; rows are numbered across them, without gaps."""

    def __init__(self, new_segment: Callable[[], S], size: int = SEGMENT) -> None:
        super().__init__()
        self._new_segment, self._size = new_segment, size
        self._used = 0

    def add(self) -> tuple[S, int, int]:
        """A row at the end: its segment, its place in the segment, and its number."""
        number = self._used
        if number == len(self) * self._size:
            self.append(self._new_segment())
        self._used += 1
        return self[-1], number % self._size, number

    def at(self, number: int) -> tuple[S, int]:
        """The segment of a row, and the row's place in it."""
        return self[number // self._size], number % self._size

    def drop(self, number: int) -> SavedSearch | None:
        """Drop a row: the last row takes its place and number; the search of that row, None if it was the same."""
        self._used -= 1
        last, last_row = self.at(self._used)
        moved: SavedSearch | None = None
        if number != self._used:
            segment, row = self.at(number)
            segment.move(row, last, last_row)
            moved = segment.searches[row]
        last.searches[last_row] = None
        if self._used <= (len(self) - 1) * self._size:
            self.pop()
        return moved

    def filled(self, index: int) -> int:
        """How many rows of a segment are used."""
        return min(self._size, self._used - index * self._size)
