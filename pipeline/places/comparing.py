"""Whether a posting's location is a place that a search wants (docs/semantics.md#places)."""

import re
from functools import lru_cache

from pipeline.places.reading import Place, read_places
from schemas.remote_work import remote_forms

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]"
)


@lru_cache(maxsize=65_536)
def place_passes(wanted: str, found: str, remote: str = "") -> bool:
    """Whether a wanted place takes one of the posting's places, or one of the two texts names no place.

    `remote` is the posting's remote field, which decides for a search whose place is "Remote".
    """
    posted = read_places(found)
    places = read_places(wanted)
    for place in places:
        if _takes(place, posted, remote):
            return True
    return not places


@lru_cache(maxsize=16_384)
def only_remote(found: str) -> bool:
    """Whether a location says that the work is remote, and names no place where it could be done instead."""
    places = read_places(found)
    return bool(places) and all(place.remote for place in places)


def _takes(wanted: Place, posted: tuple[Place, ...], remote: str) -> bool:
    if wanted.remote:
        forms = remote_forms(remote)
        if not posted:
            return not forms or "remote" in forms
        return any(("remote" in forms or place.remote) and _overlap(wanted, place) for place in posted)
    if not (wanted.targets or wanted.name):
        return True
    for place in posted:
        if _same(wanted, place):
            return True
    return not posted


def _same(wanted: Place, place: Place) -> bool:
    """Whether the posting's place is, or lies in, what is wanted; one to be worked from anywhere may also hold it."""
    if not wanted.targets.isdisjoint(place.within):
        return True
    if place.anywhere and not (place.name and place.targets):
        area = place.targets or place.bounds
        return not area or not area.isdisjoint(wanted.within)
    return bool(wanted.name) and _named_alike(wanted, place) and _bounds_agree(wanted, place)


def _named_alike(wanted: Place, place: Place) -> bool:
    """Whether a name of the posting is the wanted one or begins with its words; all words where one is unknown."""
    if wanted.name in place.heads:
        return True
    if wanted.targets and place.targets:
        return False
    if _UNSPACED.search(wanted.name):
        return wanted.name in place.text
    return wanted.words <= place.words


def _bounds_agree(wanted: Place, place: Place) -> bool:
    """Whether the area written beside the wanted name may be that of the posting's."""
    if not wanted.bounds or not place.within:
        return True
    lowest = place.targets or place.bounds
    return not wanted.bounds.isdisjoint(place.within) or not lowest.isdisjoint(wanted.within)


def _overlap(wanted: Place, place: Place) -> bool:
    if not (wanted.targets and place.targets):
        return True
    return not wanted.targets.isdisjoint(place.within) or not place.targets.isdisjoint(wanted.within)
