"""`FilterColumn`: the values of the fields that a filter reads, each different value once.

A filter is asked for each different value instead of each posting, and its answers are kept: of 50,000 postings the
places, types and forms of work are those of many. The filter itself is the one of matching (`pipeline/match.py`), so a
posting is found exactly when a saved search with the same filters would let it through.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from cachebox import LRUCache
from numpy.typing import NDArray

from pipeline.match import filter_checks
from pipeline.search.growing import grown
from schemas.records import FeatureRecord, SavedSearch

Test = Callable[[SavedSearch, FeatureRecord], bool]
#: Searches whose answers are kept.
KEPT = 512
NOTHING = SavedSearch(search_id="", query="")
_BLANK = FeatureRecord(posting_id="", version=0)


class FilterColumn:
    """The values of `fields` of each posting, for the filters that a search sets by the fields `asked`."""

    def __init__(self, fields: tuple[str, ...], asked: tuple[str, ...], test: Test) -> None:
        self._fields, self._asked, self._test = fields, asked, test
        self._numbers: dict[tuple[object, ...], int] = {}
        self._examples: list[FeatureRecord] = []
        self._values = np.zeros(0, np.int32)
        self._answers: LRUCache[SavedSearch, NDArray[np.bool_]] = LRUCache(KEPT)

    def put(self, row: int, record: FeatureRecord) -> None:
        """Set a row's value."""
        value = tuple(getattr(record, field) for field in self._fields)
        number = self._numbers.setdefault(value, len(self._examples))
        if number == len(self._examples):
            self._examples.append(replace(_BLANK, **dict(zip(self._fields, value, strict=True))))
        self._values = grown(self._values, row + 1)
        self._values[row] = number

    def narrow(self, search: SavedSearch, allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Those of the allowed rows that pass the search's filters on these fields."""
        asked = replace(NOTHING, **{field: getattr(search, field) for field in self._asked})
        if asked == NOTHING:
            return allowed
        passing: NDArray[np.bool_] = self._passing(asked)[self._values[: len(allowed)]]
        return allowed & passing

    def _passing(self, asked: SavedSearch) -> NDArray[np.bool_]:
        """Whether each different value passes; answers that are kept are continued for the values that came since."""
        known = self._answers.get(asked)
        known = np.zeros(0, np.bool_) if known is None else known
        if len(known) < len(self._examples):
            later = [self._test(asked, example) for example in self._examples[len(known) :]]
            known = np.concatenate([known, np.array(later, np.bool_)])
            self._answers.insert(asked, known)
        return known


def filters_pass(search: SavedSearch, record: FeatureRecord) -> bool:
    """Whether a posting passes every filter of a search."""
    return all(check.passed for check in filter_checks(search, record))
