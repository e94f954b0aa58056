"""Match batches of postings with all saved searches at once: by filters, and by vectors or words (ADR 26)."""

from collections.abc import Callable, Sequence

import numpy as np
from typing_extensions import override

from pipeline.match import feature_terms, query_terms, ready
from pipeline.percolation.filters import Filters
from pipeline.percolation.hits import Collected
from pipeline.percolation.matcher import Matcher, Matches
from pipeline.percolation.meaning import WIRE, QueryVector, usable
from pipeline.percolation.numbering import Numbering
from pipeline.percolation.rows import BATCH, SEGMENT, Words
from pipeline.percolation.table import NO_VECTORS, Kind, Table
from pipeline.percolation.vectors import PostingVectors
from pipeline.percolation.words import NO_WORD
from schemas.records import FeatureRecord, SavedSearch


class Percolator(Matcher):
    """`meaning.fits` for all searches and up to 64 postings at once, one bit for each posting.

    A posting and a search whose vectors are of one kind are compared by these, others by their words. The cost of a
    batch hardly depends on how many postings are in it; adding and dropping a search costs the same however many there
    are. `needed`: how many of a query's words a posting must hold; None: half, as `match.passes` has it.
    `segment`: searches whose arrays are scanned at once.
    """

    def __init__(self, needed: Callable[[int], int] | None = None, segment: int = SEGMENT) -> None:
        self._needed, self._segment = needed, segment
        self._terms = Numbering[str](first=NO_WORD + 1)
        self._filters = Filters()
        self._tables: dict[Kind, Table] = {}

    def __len__(self) -> int:
        return sum(map(len, self._tables.values()))

    def __contains__(self, search_id: str) -> bool:
        return self._kind_of(search_id) is not None

    @override
    def put_search(self, search: SavedSearch, query: QueryVector | None = None) -> None:
        self.drop_search(search.search_id)
        kind = NO_VECTORS
        if query is not None and usable(query.vector):
            kind = Kind(query.model, len(query.vector))
        if kind not in self._tables:
            self._tables[kind] = Table(kind, self._filters, self._segment)
        terms, needed = query_terms(search.query)
        if self._needed is not None:
            needed = self._needed(len(terms))
        numbers = [self._terms.take(term)[0] for term in terms]
        self._tables[kind].put(search, numbers, needed, query)

    @override
    def drop_search(self, search_id: str) -> None:
        kind = self._kind_of(search_id)
        if kind is None:
            return
        for number in self._tables[kind].drop(search_id):
            self._terms.release(number)
        if not self._tables[kind]:
            del self._tables[kind]

    @override
    def vector_of(self, search_id: str) -> QueryVector | None:
        kind = self._kind_of(search_id)
        found = None if kind is None else self._tables[kind].vector_of(search_id)
        return found and kind and QueryVector(model=kind.model, vector=found[0], threshold=found[1])

    def _kind_of(self, search_id: str) -> Kind | None:
        return next((kind for kind, table in self._tables.items() if search_id in table), None)

    @override
    def match_many(self, features: Sequence[FeatureRecord]) -> list[Matches]:
        """Match the postings that are ready, up to 64 at a time."""
        found = [Matches() for _ in features]
        able = [place for place, feature in enumerate(features) if ready(feature)]
        for start in range(0, len(able), BATCH):
            places = able[start : start + BATCH]
            for place, matches in zip(
                places, self._match([features[place] for place in places]), strict=True
            ):
                found[place] = matches
        return found

    def _match(self, features: Sequence[FeatureRecord]) -> list[Matches]:
        allowed, present = self._filters.begin(features), self._present(features)
        collected = Collected()
        kinds = [_posted_kind(feature) for feature in features]
        batch = (1 << len(features)) - 1
        for kind, table in self._tables.items():
            near = sum(1 << place for place, posted in enumerate(kinds) if posted == kind != NO_VECTORS)
            if near:
                vectors = [
                    f.vector if posted == kind else b"" for f, posted in zip(features, kinds, strict=True)
                ]
                postings = PostingVectors(vectors, kind.size // WIRE.itemsize)
                collected.add_pairs(table.by_vectors(postings, allowed & np.uint64(near)))
            if rest := batch & ~near:
                collected.add_words(table.by_words(present, allowed & np.uint64(rest)))
        return collected.matches(len(features))

    def _present(self, features: Sequence[FeatureRecord]) -> Words:
        """By number of a word, the postings that it stands in."""
        present = np.zeros(len(self._terms), np.uint64)
        for place, feature in enumerate(features):
            numbers = [n for n in map(self._terms.get, feature_terms(feature)) if n is not None]
            present[numbers] |= np.uint64(1 << place)
        return present


def _posted_kind(feature: FeatureRecord) -> Kind:
    if usable(feature.vector):
        return Kind(feature.vector_model, len(feature.vector))
    return NO_VECTORS
