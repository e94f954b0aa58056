"""`FilterColumn`: what a filter reads of the postings, each different value once.

A filter is asked for each different value instead of each posting, and its answers are kept: of 50,000 postings the
places, types and forms of work are those of many. The filter itself is the one of matching (`pipeline/filters.py`), so
a posting is found exactly when a saved search with the same filters would let it through.
"""

from collections.abc import Hashable

import numpy as np
from cachebox import LRUCache
from numpy.typing import NDArray

from pipeline.filters import Filter
from pipeline.search.growing import grown
from schemas.records import FeatureRecord, SavedSearch

#: Wanted values whose answers are kept.
KEPT = 512


class FilterColumn:
    """What one filter reads of each posting; for filters that read few different values."""

    def __init__(self, rule: Filter) -> None:
        self._rule = rule
        self._numbers: dict[Hashable, int] = {}
        self._examples: list[FeatureRecord] = []
        self._values = np.zeros(0, np.int32)
        self._answers: LRUCache[Hashable, NDArray[np.bool_]] = LRUCache(KEPT)

    def put(self, row: int, record: FeatureRecord) -> None:
        """Set a row's value."""
        value = self._rule.found(record)
        number = self._numbers.setdefault(value, len(self._examples))
        if number == len(self._examples):
            self._examples.append(record)
        self._values = grown(self._values, row + 1)
        self._values[row] = number

    def narrow(self, search: SavedSearch, allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Those of the allowed rows that pass the filter."""
        wanted = self._rule.wanted(search)
        if wanted is None:
            return allowed
        passing: NDArray[np.bool_] = self._passing(wanted, search)[self._values[: len(allowed)]]
        return allowed & passing

    def _passing(self, wanted: Hashable, search: SavedSearch) -> NDArray[np.bool_]:
        """Whether each different value passes; answers that are kept are continued for the values that came since."""
        known = self._answers.get(wanted)
        known = np.zeros(0, np.bool_) if known is None else known
        if len(known) < len(self._examples):
            later = [self._rule.test(search, example) for example in self._examples[len(known) :]]
            known = np.concatenate([known, np.array(later, np.bool_)])
            self._answers.insert(wanted, known)
        return known
