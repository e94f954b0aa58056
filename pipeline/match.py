"""Match new features against saved searches: hard filters and a lexical match (docs/semantics.md#matching)."""

from dataclasses import dataclass
from functools import lru_cache

from pipeline.filters import filters_pass, posting_text
from pipeline.places.gazetteer import gazetteer
from pipeline.terms import folded, holds, terms
from schemas.clean import clean
from schemas.merge import is_current
from schemas.records import NEVER, FeatureRecord, SavedSearch, State


@dataclass(frozen=True, slots=True)
class _Query:
    """What a search asks for, parsed once."""

    terms: frozenset[str]
    needed: int

    def stands_in(self, posted: frozenset[str]) -> bool:
        """Whether as many of the terms as are needed are among the posting's."""
        return not self.needed or len(self.terms & posted) >= self.needed

    def stands_in_text(self, text: str) -> bool:
        """As `stands_in` for the terms of a posting's text; reads no more of it than it must."""
        if not self.needed:
            return True
        lower = folded(text)
        if not lower.isascii():
            return self.stands_in(terms(text))
        missing = len(self.terms) - self.needed
        for term in self.terms:
            if not holds(lower, term):
                missing -= 1
                if missing < 0:
                    return False
        return True


def load_places() -> None:
    """Load the tables of places, a second and a half of work, before the first search that names a place meets one."""
    gazetteer()


def ready(feature: FeatureRecord) -> bool:
    """Whether the posting can alert at all: open, with content and a current summary."""
    return feature.state is State.OPEN and has_content(feature) and is_current(feature)


def has_content(feature: FeatureRecord) -> bool:
    """Whether the posting has content; not if only an `open` without content came, or the content was removed."""
    return feature.content_version != NEVER


def passes(search: SavedSearch, feature: FeatureRecord) -> bool:
    """Hard filters and lexical match of one pair; pure, and the same for matcher, consumer and explain."""
    return _parse(search.query).stands_in_text(posting_text(feature)) and filters_pass(search, feature)


def query_terms(query: str) -> tuple[frozenset[str], int]:
    """The query's content terms, and how many of them a posting must contain: half, rounded up."""
    parsed = _parse(query)
    return parsed.terms, parsed.needed


def match_score(search: SavedSearch, feature: FeatureRecord) -> float:
    """How well a posting's words fit a search, from 0 to 2: the share of the query's terms in it, and in its title.

    Of candidates that all pass, those with the highest score are scored by the ranker first. 0 for a query without
    terms.
    """
    wanted = _parse(search.query).terms
    if not wanted:
        return 0.0
    return (len(wanted & feature_terms(feature)) + len(wanted & terms(feature.title))) / len(wanted)


def feature_terms(feature: FeatureRecord) -> frozenset[str]:
    """Terms of all that the ranker reads of a posting: metadata and summary."""
    return terms(posting_text(feature))


@lru_cache(maxsize=65_536)
def _parse(query: str) -> _Query:
    found = terms(clean(query))
    return _Query(found, (len(found) + 1) // 2)
