"""All hard filters of many searches: which combinations of filters let which postings of a batch pass."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.filters import FILTERS, Filter
from pipeline.percolation.condition_table import ConditionTable
from pipeline.percolation.numbering import Numbering
from pipeline.percolation.rows import EVERY, Words
from schemas.records import FeatureRecord, SavedSearch


class Filters:
    """The combinations of filters that searches have, by number: most searches share theirs with others."""

    def __init__(self, filters: Sequence[Filter] = FILTERS) -> None:
        self._tables = [ConditionTable(one) for one in filters]
        self._combinations = Numbering[tuple[int, ...]]()
        self._parts = np.zeros((len(self._tables), 64), np.int32)
        self._unknown = np.zeros(0, np.uint64)
        self._count = 0

    def take(self, search: SavedSearch) -> int:
        """The number of a search's combination."""
        parts = tuple([table.take(search) for table in self._tables])
        number, new = self._combinations.take(parts)
        if new:
            if number >= self._parts.shape[1]:
                self._parts = np.concatenate((self._parts, np.zeros_like(self._parts)), axis=1)
            self._parts[:, number] = parts
        return number

    def release(self, number: int) -> None:
        """Forget one search's use of a combination."""
        for table, part in zip(self._tables, self._parts[:, number].tolist(), strict=True):
            table.release(part)
        self._combinations.release(number)

    def begin(self, features: Sequence[FeatureRecord]) -> Words:
        """Turn to the postings of a batch; by number, those that may pass a combination."""
        self._count = len(features)
        for table in self._tables:
            table.begin(features)
        return self._combine()

    def passing(self, numbers: NDArray[np.int32], postings: Words) -> Words:
        """Of the postings that fit each search otherwise, those that pass its combination."""
        untested = postings & np.take(self._unknown, numbers, mode="clip")
        rows = np.flatnonzero(untested)
        if not rows.size:
            return postings
        passing, untested = postings.copy(), untested[rows]
        for place in range(self._count):
            bit = np.uint64(1 << place)
            asked = rows[(untested & bit) != 0]
            if asked.size:
                passing[asked[~self._test(numbers[asked], place)]] &= ~bit
        return passing

    def _test(self, numbers: NDArray[np.int32], place: int) -> NDArray[np.bool_]:
        passed = np.ones(numbers.size, np.bool_)
        for table, parts in zip(self._tables, self._parts, strict=True):
            passed &= table.test(parts[numbers], place)
        return passed

    def _combine(self) -> Words:
        size = len(self._combinations)
        combined, self._unknown = np.full(size, EVERY), np.zeros(size, np.uint64)
        for table, parts in zip(self._tables, self._parts, strict=True):
            allowed, unknown = table.allowed()
            combined &= np.take(allowed, parts[:size], mode="clip")
            self._unknown |= np.take(unknown, parts[:size], mode="clip")
        return combined
