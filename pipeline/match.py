"""New features × saved searches: hard filters and a lexical match (docs/semantics.md#matching)."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from pipeline.terms import terms, words
from schemas.merge import is_current
from schemas.records import NEVER, FeatureRecord, SavedSearch, State


class Matcher(Protocol):
    """Holds all saved searches and names those that a posting is a candidate for."""

    def put_search(self, search: SavedSearch) -> None:
        """Hold this search; one with the same id is replaced."""
        ...

    def drop_search(self, search_id: str) -> None:
        """Forget a search; an unknown id is fine."""
        ...

    def match(self, feature: FeatureRecord) -> list[SavedSearch]:
        """The searches that this posting is a candidate for, by search id; none unless it is `ready`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterCheck:
    """One filter of a search beside what the posting says; `passed` is true where either is null."""

    name: str
    wanted: str | None
    found: str | None
    passed: bool


@dataclass(frozen=True, slots=True)
class _Query:
    """What a search asks for, parsed once."""

    terms: frozenset[str]
    needed: int


def ready(feature: FeatureRecord) -> bool:
    """Whether the posting can alert at all: open, with content and a current summary."""
    return feature.state is State.OPEN and has_content(feature) and is_current(feature)


def has_content(feature: FeatureRecord) -> bool:
    """Whether the posting has text to match: not after a bare `open` or a removal, where no summary is awaited."""
    return feature.content_version != NEVER


def passes(search: SavedSearch, feature: FeatureRecord) -> bool:
    """Hard filters and lexical match of one pair; pure, and the same for matcher, consumer and explain."""
    if search.location and feature.location and not _location_passes(search.location, feature.location):
        return False
    if search.remote is not None and feature.remote and not _remote_passes(search.remote, feature.remote):
        return False
    if (
        search.employment_type
        and feature.employment_type
        and not _type_passes(search.employment_type, feature.employment_type)
    ):
        return False
    query = _parse(search.query)
    return not query.needed or len(query.terms & feature_terms(feature)) >= query.needed


def filter_checks(search: SavedSearch, feature: FeatureRecord) -> list[FilterCheck]:
    """Each hard filter of `passes` by itself, for explain."""
    remote = None if search.remote is None else ("remote" if search.remote else "on site")
    return [
        _check("location", search.location, feature.location, _location_passes),
        FilterCheck(
            name="remote",
            wanted=remote,
            found=feature.remote,
            passed=search.remote is None
            or not feature.remote
            or _remote_passes(search.remote, feature.remote),
        ),
        _check("employment_type", search.employment_type, feature.employment_type, _type_passes),
    ]


def query_terms(query: str) -> tuple[frozenset[str], int]:
    """The query's content terms, and how many of them a posting must hold: half, rounded up."""
    parsed = _parse(query)
    return parsed.terms, parsed.needed


def feature_terms(feature: FeatureRecord) -> frozenset[str]:
    """Terms of all that the ranker reads of a posting: metadata and summary."""
    fields = (feature.location, feature.employment_type, feature.remote)
    metadata = " ".join(field for field in fields if field)
    return terms(f"{feature.title}\n{feature.company or ''}\n{metadata}\n{feature.summary}")


class LexicalMatcher:
    """`passes` over many searches at once, by an inverted index on query terms.

    A posting that holds `needed` of a query's n terms holds one of any n - needed + 1 of them: each search is
    listed under its rarest ones only, and `passes` decides on those that turn up.
    """

    def __init__(self) -> None:
        self._searches: dict[str, SavedSearch] = {}
        self._listed: dict[str, tuple[str, ...]] = {}
        self._index: defaultdict[str, set[str]] = defaultdict(set)
        self._unconditional: set[str] = set()

    def put_search(self, search: SavedSearch) -> None:
        """Hold this search; one with the same id is replaced."""
        self.drop_search(search.search_id)
        self._searches[search.search_id] = search
        query = _parse(search.query)
        if not query.needed:
            self._unconditional.add(search.search_id)
            return
        rarest = sorted(query.terms, key=lambda term: (len(self._index.get(term, ())), term))
        self._listed[search.search_id] = tuple(rarest[: len(rarest) - query.needed + 1])
        for term in self._listed[search.search_id]:
            self._index[term].add(search.search_id)

    def drop_search(self, search_id: str) -> None:
        """Forget a search; an unknown id is fine."""
        self._searches.pop(search_id, None)
        self._unconditional.discard(search_id)
        for term in self._listed.pop(search_id, ()):
            self._index[term].discard(search_id)
            if not self._index[term]:
                del self._index[term]

    def match(self, feature: FeatureRecord) -> list[SavedSearch]:
        """The searches that this posting is a candidate for, by search id; none unless it is `ready`."""
        if not ready(feature):
            return []
        found = set(self._unconditional)
        for term in feature_terms(feature) & self._index.keys():
            found |= self._index[term]
        return [self._searches[i] for i in sorted(found) if passes(self._searches[i], feature)]

    def __len__(self) -> int:
        return len(self._searches)

    def __contains__(self, search_id: str) -> bool:
        return search_id in self._searches


@lru_cache(maxsize=65_536)
def _parse(query: str) -> _Query:
    found = terms(query)
    return _Query(found, (len(found) + 1) // 2)


@lru_cache(maxsize=65_536)
def _location_passes(wanted: str, found: str) -> bool:
    """All words of the wanted place stand in the posting's, or it begins at one of them ("San Fran")."""
    return terms(wanted) <= terms(found) or words(wanted).rstrip() in words(found)


@lru_cache(maxsize=1_024)
def _type_passes(wanted: str, found: str) -> bool:
    return terms(wanted) <= terms(found)


def _remote_passes(wanted: bool, found: str) -> bool:
    """Events normalise to remote, hybrid or onsite; hybrid is not remote."""
    return (found.casefold() == "remote") is wanted


def _check(name: str, wanted: str | None, found: str | None, test: Callable[[str, str], bool]) -> FilterCheck:
    passed = not wanted or not found or test(wanted, found)
    return FilterCheck(name=name, wanted=wanted, found=found, passed=passed)
