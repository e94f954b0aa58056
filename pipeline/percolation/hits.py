"""What the tables found for a batch, put together for each posting."""

from collections.abc import Iterable

import numpy as np

from pipeline.percolation.matcher import Matches
from pipeline.percolation.table import VectorHits, WordHits


class Collected:
    """Collects hits of segments, and gives each posting its own."""

    def __init__(self) -> None:
        self._words: list[WordHits] = []
        self._pairs: list[VectorHits] = []

    def add_words(self, hits: Iterable[WordHits]) -> None:
        """Add searches found by their words."""
        self._words += hits

    def add_pairs(self, hits: Iterable[VectorHits]) -> None:
        """Add pairs found by their vectors."""
        self._pairs += hits

    def matches(self, postings: int) -> list[Matches]:
        """The matches of each of the batch's `postings` postings."""
        found = [Matches() for _ in range(postings)]
        if self._words:
            searches, bits = (np.concatenate(column) for column in zip(*self._words, strict=True))
            for place, matches in enumerate(found):
                matches.worded.extend(searches[(bits & np.uint64(1 << place)) != 0].tolist())
        if self._pairs:
            searches, places, similarities = (np.concatenate(c) for c in zip(*self._pairs, strict=True))
            order = np.lexsort((-similarities, places))
            ends = np.searchsorted(places[order], np.arange(postings + 1))
            for matches, start, end in zip(found, ends, ends[1:], strict=False):
                some = order[start:end]
                matches.similar.extend(zip(searches[some].tolist(), similarities[some].tolist(), strict=True))
        return found
