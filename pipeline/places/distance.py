"""How far apart two places are, where the gazetteer knows where they lie."""

from collections.abc import Iterable
from functools import lru_cache
from math import asin, cos, radians, sin, sqrt

from pipeline.places.gazetteer import gazetteer
from pipeline.places.reading import read_places

_EARTH_KM = 6_371.0

Point = tuple[float, float]
"""Latitude and longitude in degrees."""


@lru_cache(maxsize=65_536)
def lies_within(wanted: str, found: str, radius_km: float) -> bool:
    """Whether one of the towns that `found` names lies at most so far from one that `wanted` names.

    False where either names no town whose coordinates are known: an area has no one point that it lies at.
    """
    posted = points(found)
    return any(distance_km(one, other) <= radius_km for one in points(wanted) for other in posted)


@lru_cache(maxsize=32_768)
def points(text: str) -> tuple[Point, ...]:
    """Where the towns lie that a text names."""
    paths = sorted({path for place in read_places(text) for path in place.targets})
    return tuple(_known(paths))


def distance_km(one: Point, other: Point) -> float:
    """The length of the great circle between two points, in kilometres."""
    north, south = radians(one[0]), radians(other[0])
    east = radians(other[1] - one[1])
    half = sin((south - north) / 2) ** 2 + cos(north) * cos(south) * sin(east / 2) ** 2
    return 2 * _EARTH_KM * asin(min(1.0, sqrt(half)))


def _known(paths: Iterable[str]) -> Iterable[Point]:
    known = gazetteer()
    return (point for path in paths if (point := known.point(path)) is not None)
