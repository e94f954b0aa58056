"""What the matcher's loop needs: a holder of all saved searches that finds candidates for batches of postings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pipeline.percolation.meaning import QueryVector
from schemas.records import FeatureRecord, SavedSearch


@dataclass(frozen=True, slots=True)
class Matches:
    """The searches that a posting is a candidate for: those found by vectors, the most similar first, and by words."""

    similar: list[tuple[SavedSearch, float]] = field(default_factory=list)
    worded: list[SavedSearch] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.similar) + len(self.worded)

    def __iter__(self) -> Iterator[tuple[SavedSearch, float | None]]:
        """Each search with its similarity, which is None where words found it."""
        yield from self.similar
        for search in self.worded:
            yield search, None

    def searches(self) -> list[SavedSearch]:
        """All of them."""
        return [search for search, _ in self]


class Matcher(Protocol):
    """Holds all saved searches and finds those that a posting is a candidate for."""

    def match_many(self, features: Sequence[FeatureRecord]) -> list[Matches]:
        """The searches that each posting is a candidate for (`meaning.fits`); none unless it is `ready`."""
        ...

    def put_search(self, search: SavedSearch, query: QueryVector | None = None) -> None:
        """Add a search, or replace the one with the same id; without a vector its words are matched."""
        ...

    def drop_search(self, search_id: str) -> None:
        """Remove a search; an unknown id is no error."""
        ...

    def vector_of(self, search_id: str) -> QueryVector | None:
        """The vector by which a search is matched now."""
        ...
