"""The hard filters of a search as conditions on values: searches and postings with equal values share one check."""

from collections.abc import Callable, Hashable
from typing import NamedTuple

from pipeline import match
from schemas.records import FeatureRecord, SavedSearch


class Condition(NamedTuple):
    """One hard filter.

    `wanted`: all that the filter reads of a search, None where it takes every posting. `found`: all that it reads of a
    posting. `test` decides about a pair, and equally about all pairs of equal values.
    """

    name: str
    wanted: Callable[[SavedSearch], Hashable | None]
    found: Callable[[FeatureRecord], Hashable]
    test: Callable[[SavedSearch, FeatureRecord], bool]


CONDITIONS = (
    Condition(
        "location",
        lambda search: search.location or None,
        lambda feature: (feature.location, feature.remote),
        match.location_passes,
    ),
    Condition(
        "remote",
        lambda search: search.remote,
        lambda feature: (feature.remote, feature.location),
        match.remote_passes,
    ),
    Condition(
        "employment_type",
        lambda search: search.employment_type or None,
        lambda feature: feature.employment_type,
        match.type_passes,
    ),
)
