"""Match new and changed searches with the open postings already in the store (docs/semantics.md#matching)."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from pipeline.percolation.matcher import Matcher
from pipeline.percolation.meaning import QueryVector
from schemas.records import FeatureRecord
from streaming.searches.table import Offsets, Subscription


class StoredMatch(NamedTuple):
    """A stored posting and a search that it is a candidate for; the similarity if their vectors say so."""

    subscription: Subscription
    feature: FeatureRecord
    similarity: float | None = None


class StorePass:
    """Reads all stored postings once, in small steps, and matches each with the new and changed searches.

    `matcher`: an empty one, for those searches. `vector_of`: the vector of a search, if it has one. `searches_until`:
    offsets of the topic `searches`; once the pass has finished, every search before them was matched with the stored
    postings. `postings_read`: how many postings the pass has read so far.
    """

    def __init__(
        self,
        subscriptions: Sequence[Subscription],
        postings: Iterator[FeatureRecord],
        matcher: Matcher,
        *,
        searches_until: Offsets,
        vector_of: Callable[[str], QueryVector | None] = lambda _: None,
    ) -> None:
        self.searches_until: Offsets = dict(searches_until)
        self.finished = False
        self.postings_read = 0
        self._subscriptions = {found.search.search_id: found for found in subscriptions}
        self._postings = postings
        self._matcher = matcher
        for subscription in subscriptions:
            search = subscription.search
            self._matcher.put_search(search, vector_of(search.search_id))

    def advance(self, max_postings: int) -> list[StoredMatch]:
        """The matches of the next `max_postings` stored postings; `finished` becomes true with the last posting."""
        postings = list(islice(self._postings, max_postings))
        self.postings_read += len(postings)
        self.finished = len(postings) < max_postings
        return [
            StoredMatch(self._subscriptions[search.search_id], posting, similarity)
            for posting, found in zip(postings, self._matcher.match_many(postings), strict=True)
            for search, similarity in found
        ]
