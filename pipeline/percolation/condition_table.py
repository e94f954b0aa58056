"""One hard filter for many searches and postings: every value that is wanted, and what is known of each posting's."""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.filters import Filter
from pipeline.percolation.numbering import Numbering
from pipeline.percolation.rows import BATCH, EVERY, Words
from schemas.records import FeatureRecord, SavedSearch

ANY = 0
"""Number of the value of a search without this filter."""
_UNKNOWN, _PASSES, _FAILS = 0, 1, 2
_KEPT_BYTES = 16 << 20
_KEPT_VALUES = 1_024


class _Posted(NamedTuple):
    """A value of postings of the batch: what is known of it by number of a wanted value, one posting, all as bits."""

    known: NDArray[np.int8]
    feature: FeatureRecord
    postings: np.uint64


class ConditionTable:
    """The wanted values by number, and for the postings of a batch which of the values let them pass.

    A pair of values is tested when a search and a posting that have them fit otherwise, and what came out is kept for
    the values of the newest postings: 1,024 of them, and fewer where so many different values are wanted that 16 MiB
    are not enough.
    """

    def __init__(self, condition: Filter) -> None:
        self._condition = condition
        self._wanted = Numbering[Hashable](first=1)
        self._searches: dict[int, SavedSearch] = {}
        self._known: OrderedDict[Hashable, NDArray[np.int8]] = OrderedDict()
        self._posted: list[_Posted] = []
        self._posted_at: list[_Posted] = []

    def take(self, search: SavedSearch) -> int:
        """The number of what a search wants."""
        wanted = self._condition.wanted(search)
        if wanted is None:
            return ANY
        number, new = self._wanted.take(wanted)
        if new:
            self._searches[number] = search
            for known in self._known.values():
                known[number : number + 1] = _UNKNOWN
        return number

    def release(self, number: int) -> None:
        """Forget one search's use of a number."""
        if number != ANY and self._wanted.release(number):
            del self._searches[number]

    def begin(self, features: Sequence[FeatureRecord]) -> None:
        """Turn to the postings of a batch."""
        groups: dict[Hashable, list[int]] = {}
        for place, feature in enumerate(features):
            groups.setdefault(self._condition.found(feature), []).append(place)
        self._posted, at = [], dict[int, _Posted]()
        for found, places in groups.items():
            bits = np.uint64(sum(1 << place for place in places))
            posted = _Posted(self._known_of(found), features[places[0]], bits)
            self._posted.append(posted)
            at.update(dict.fromkeys(places, posted))
        self._posted_at = [at[place] for place in range(len(features))]
        while len(self._known) > max(BATCH, min(_KEPT_VALUES, _KEPT_BYTES // len(self._wanted))):
            self._known.popitem(last=False)

    def allowed(self) -> tuple[Words, Words]:
        """By number of a wanted value: the postings that it may let pass, and those of them that are not tested yet."""
        size = len(self._wanted)
        allowed, unknown = np.zeros(size, np.uint64), np.zeros(size, np.uint64)
        for known, _, postings in self._posted:
            allowed |= np.where(known[:size] == _FAILS, np.uint64(0), postings)
            unknown |= np.where(known[:size] == _UNKNOWN, postings, np.uint64(0))
        allowed[ANY], unknown[ANY] = EVERY, 0
        return allowed, unknown

    def test(self, numbers: NDArray[np.int32], place: int) -> NDArray[np.bool_]:
        """Which of the wanted values with these numbers let the posting at a place of the batch pass."""
        known, feature, _ = self._posted_at[place]
        for number in np.unique(numbers[(known[numbers] == _UNKNOWN) & (numbers != ANY)]).tolist():
            fits = self._condition.test(self._searches[number], feature)
            known[number] = _PASSES if fits else _FAILS
        passed: NDArray[np.bool_] = known[numbers] != _FAILS
        return passed

    def _known_of(self, found: Hashable) -> NDArray[np.int8]:
        known, size = self._known.pop(found, None), len(self._wanted)
        if known is None:
            known = np.zeros(size + size // 2, np.int8)
        elif known.size < size:
            known = np.concatenate((known, np.zeros(size + size // 2 - known.size, np.int8)))
        self._known[found] = known
        return known
