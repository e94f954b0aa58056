"""The hard filters of a search: what a posting must not contradict (docs/semantics.md#matching).

A posting that does not say passes each of them.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from pipeline.must_not import offered
from pipeline.places.comparing import only_remote, place_passes
from pipeline.places.distance import lies_within
from pipeline.terms import terms
from schemas.employment import employment_kinds
from schemas.pay import pays
from schemas.records import FeatureRecord, SavedSearch
from schemas.remote_work import remote_forms


class Filter(NamedTuple):
    """One hard filter.

    `wanted`: all that the filter reads of a search, None where it takes every posting. `found`: all that it reads of a
    posting. `test` decides about a pair, and equally about all pairs of equal values. `shown` and `shown_of` word the
    two sides for a person.
    """

    name: str
    wanted: Callable[[SavedSearch], Hashable | None]
    found: Callable[[FeatureRecord], Hashable]
    test: Callable[[SavedSearch, FeatureRecord], bool]
    shown: Callable[[SavedSearch], str | None]
    shown_of: Callable[[SavedSearch, FeatureRecord], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterCheck:
    """One filter of a search, with the posting's value; `passed` is true where either is null."""

    name: str
    wanted: str | None
    found: str | None
    passed: bool


def filters_pass(search: SavedSearch, feature: FeatureRecord) -> bool:
    """Whether a posting passes all hard filters of a search; cheap ones first."""
    return (
        type_passes(search, feature)
        and remote_passes(search, feature)
        and pay_passes(search, feature)
        and location_passes(search, feature)
        and must_not_passes(search, feature)
    )


def filter_checks(search: SavedSearch, feature: FeatureRecord) -> list[FilterCheck]:
    """Each hard filter by itself, for explain."""
    return [
        FilterCheck(
            name=one.name,
            wanted=one.shown(search),
            found=one.shown_of(search, feature),
            passed=one.test(search, feature),
        )
        for one in FILTERS
    ]


def posting_text(feature: FeatureRecord) -> str:
    """All that the ranker reads of a posting, metadata and summary, as one text."""
    # spaces, because a text with line breaks is searched for what cannot be seen
    return (
        f"{feature.title} {feature.company or ''} {feature.location or ''} {feature.employment_type or ''} "
        f"{feature.remote or ''} {feature.summary}"
    )


def location_passes(search: SavedSearch, feature: FeatureRecord) -> bool:
    """Whether one of the wanted places takes one of the posting's or lies near one, or one of the two names none."""
    if not search.location:
        return True
    found = feature.location or ""
    if place_passes(search.location, found, feature.remote or ""):
        return True
    return search.radius_km > 0 and lies_within(search.location, found, search.radius_km)


def remote_passes(search: SavedSearch, feature: FeatureRecord) -> bool:
    """Whether the posting names a form that is wanted: remote, or else onsite or hybrid; unknown passes for both."""
    if search.remote is None:
        return True
    forms = remote_forms(feature.remote) if feature.remote else ()
    if not forms and feature.location and only_remote(feature.location):
        return search.remote
    return not forms or any((form == "remote") is search.remote for form in forms)


def type_passes(search: SavedSearch, feature: FeatureRecord) -> bool:
    """Whether the posting names one of the wanted types, or no type at all."""
    wanted, found = search.employment_type, feature.employment_type
    return not wanted or not found or _types_pass(wanted, found)


def must_not_passes(search: SavedSearch, feature: FeatureRecord) -> bool:
    """Whether the posting's text offers none of what the search must not have; to deny it is not to offer it."""
    return not search.must_not or not offered(_said(feature), search.must_not)


def pay_passes(search: SavedSearch, feature: FeatureRecord) -> bool:
    """Whether the pay may reach the least wanted; passes where the two have other currencies or an unknown period."""
    return not search.pay_from or not feature.salary or pays(search.pay_from, feature.salary)


@lru_cache(maxsize=4_096)
def _types_pass(wanted: str, found: str) -> bool:
    types = employment_kinds(wanted)
    if not types:
        return terms(wanted) <= terms(found)
    named = employment_kinds(found)
    return not named or not set(types).isdisjoint(named)


def _said(feature: FeatureRecord) -> str:
    """What is searched for must-nots, a line each: all that the ranker reads but the name of the company."""
    parts = (feature.title, feature.location, feature.employment_type, feature.remote, feature.summary)
    return "\n".join(part for part in parts if part)


def _place_shown(search: SavedSearch) -> str | None:
    near = f" within {search.radius_km:g} km" if search.location and search.radius_km else ""
    return f"{search.location}{near}" if search.location else None


def _remote_shown(search: SavedSearch) -> str | None:
    return None if search.remote is None else ("remote" if search.remote else "on site")


def _refused_shown(search: SavedSearch, feature: FeatureRecord) -> str | None:
    return ", ".join(offered(_said(feature), search.must_not)) or None


FILTERS = (
    Filter(
        "location",
        lambda search: (search.location, search.radius_km) if search.location else None,
        lambda feature: (feature.location, feature.remote),
        location_passes,
        _place_shown,
        lambda _, feature: feature.location,
    ),
    Filter(
        "remote",
        lambda search: search.remote,
        lambda feature: (feature.remote, feature.location),
        remote_passes,
        _remote_shown,
        lambda _, feature: feature.remote,
    ),
    Filter(
        "employment_type",
        lambda search: search.employment_type or None,
        lambda feature: feature.employment_type,
        type_passes,
        lambda search: search.employment_type,
        lambda _, feature: feature.employment_type,
    ),
    Filter(
        "pay_from",
        lambda search: search.pay_from or None,
        lambda feature: feature.salary,
        pay_passes,
        lambda search: search.pay_from,
        lambda _, feature: feature.salary,
    ),
    Filter(
        "must_not",
        lambda search: search.must_not or None,
        _said,
        must_not_passes,
        lambda search: ", ".join(search.must_not) or None,
        _refused_shown,
    ),
)
"""Every hard filter, in the order in which a person reads them."""
