"""Match new features against saved searches: hard filters and a lexical match (docs/semantics.md#matching)."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from typing_extensions import override

from pipeline.terms import terms, words
from schemas.employment import employment_kinds
from schemas.merge import is_current
from schemas.records import NEVER, FeatureRecord, SavedSearch, State
from schemas.remote_work import remote_forms


class Matcher(Protocol):
    """Holds all saved searches and finds those that a posting is a candidate for."""

    def put_search(self, search: SavedSearch) -> None:
        """Add a search, or replace the one with the same id."""
        ...

    def drop_search(self, search_id: str) -> None:
        """Remove a search; an unknown id is no error."""
        ...

    def match(self, feature: FeatureRecord) -> list[SavedSearch]:
        """The searches that this posting is a candidate for, by search id; none unless it is `ready`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterCheck:
    """One filter of a search, with the posting's value; `passed` is true where either is null."""

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
    """Whether the posting has content; not if only an `open` without content came, or the content was removed."""
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
    """The query's content terms, and how many of them a posting must contain: half, rounded up."""
    parsed = _parse(query)
    return parsed.terms, parsed.needed


def feature_terms(feature: FeatureRecord) -> frozenset[str]:
    """Terms of all that the ranker reads of a posting: metadata and summary."""
    fields = (feature.location, feature.employment_type, feature.remote)
    metadata = " ".join(field for field in fields if field)
    return terms(f"{feature.title}\n{feature.company or ''}\n{metadata}\n{feature.summary}")


class LexicalMatcher(Matcher):
    """`passes` for many searches at once, by an inverted index on query terms.

    A posting that contains `needed` of a query's n terms contains at least one of any n - needed + 1 of them. So each
    search is listed under that many of its terms, the rarest; `passes` then decides on the searches found.
    """

    def __init__(self) -> None:
        self._searches: dict[str, SavedSearch] = {}
        self._listed: dict[str, tuple[str, ...]] = {}
        self._index: defaultdict[str, set[str]] = defaultdict(set)
        self._unconditional: set[str] = set()

    @override
    def put_search(self, search: SavedSearch) -> None:
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

    @override
    def drop_search(self, search_id: str) -> None:
        self._searches.pop(search_id, None)
        self._unconditional.discard(search_id)
        for term in self._listed.pop(search_id, ()):
            self._index[term].discard(search_id)
            if not self._index[term]:
                del self._index[term]

    @override
    def match(self, feature: FeatureRecord) -> list[SavedSearch]:
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
    """Whether the posting's place has all wanted words, or the wanted text from a word's start ("San Fran")."""
    return terms(wanted) <= terms(found) or words(wanted).rstrip() in words(found)


@lru_cache(maxsize=4_096)
def _type_passes(wanted: str, found: str) -> bool:
    """Whether the posting names one of the wanted types; a posting whose words name no type passes for every type."""
    types = employment_kinds(wanted)
    if not types:
        return terms(wanted) <= terms(found)
    named = employment_kinds(found)
    return not named or not set(types).isdisjoint(named)


def _remote_passes(wanted: bool, found: str) -> bool:
    """Whether the posting names a form that is wanted: remote, or else onsite or hybrid; no form passes for both."""
    forms = remote_forms(found)
    return not forms or any((form == "remote") is wanted for form in forms)


def _check(name: str, wanted: str | None, found: str | None, test: Callable[[str, str], bool]) -> FilterCheck:
    passed = not wanted or not found or test(wanted, found)
    return FilterCheck(name=name, wanted=wanted, found=found, passed=passed)
