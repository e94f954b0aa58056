"""New and changed searches meet the open postings already in the store (docs/semantics.md#matching)."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from pipeline.match import LexicalMatcher
from schemas.records import FeatureRecord
from streaming.searches.table import Held, Offsets


class StoredMatch(NamedTuple):
    """A stored posting and a search that it is a candidate for."""

    held: Held
    feature: FeatureRecord


class StorePass:
    """One pass over the stored postings with all searches that came since the last pass, in small steps.

    `until` are the offsets of `searches` up to which these postings will have met every search.
    """

    def __init__(
        self, searches: Sequence[Held], postings: Iterator[FeatureRecord], *, until: Offsets
    ) -> None:
        self.until: Mapping[int, int] = dict(until)
        self.finished = False
        self.seen = 0
        self._searches = {held.search.search_id: held for held in searches}
        self._postings = postings
        self._matcher = LexicalMatcher()
        for held in searches:
            self._matcher.put_search(held.search)

    def advance(self, max_postings: int) -> list[StoredMatch]:
        """The pairs among the next stored postings; `finished` turns true when there are no more."""
        postings = list(islice(self._postings, max_postings))
        self.seen += len(postings)
        self.finished = len(postings) < max_postings
        return [
            StoredMatch(self._searches[search.search_id], posting)
            for posting in postings
            for search in self._matcher.match(posting)
        ]
