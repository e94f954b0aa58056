"""Read the text of a location field, of a search or of a posting, as places."""

import re
from functools import lru_cache
from typing import NamedTuple

from pipeline.places import tables
from pipeline.places.cleaning import POSTCODE, components
from pipeline.places.folding import fold
from pipeline.places.gazetteer import Gazetteer, gazetteer, within
from pipeline.places.grouping import Group, grouped, share_bounds
from schemas.characters import seen

_ENTRIES = re.compile(r"[;|\n\u2022\u00b7\u30fb\uff1b]")
#: Words behind the name of a street or house.
_STREETS = frozenset(
    [
        "road",
        "rd",
        "street",
        "lane",
        "house",
        "avenue",
        "ave",
        "court",
        "close",
        "drive",
        "square",
        "terrace",
        "crescent",
        "way",
    ]
)
#: Characters of a location that are read, so that a text which strayed into the field costs no time.
_READ = 1_000


class Place(NamedTuple):
    """One place: the areas and cities that it may be, and what is written of it.

    `targets` are paths of what the text names, `within` all paths that a target lies in. A name that is in no gazetteer
    has no target; `bounds` are the areas written beside it. `heads` are the names as written and the whole words that
    they begin with.
    """

    targets: frozenset[str]
    within: frozenset[str]
    bounds: frozenset[str]
    name: str
    heads: frozenset[str]
    words: frozenset[str]
    text: str
    remote: bool
    anywhere: bool


@lru_cache(maxsize=32_768)
def read_places(text: str) -> tuple[Place, ...]:
    """The places that a text names; none if it names no place at all, such as "various"."""
    known = gazetteer()
    places = []
    for entry in _ENTRIES.split(seen(text[:_READ])):
        groups = list(grouped(components(entry, known), known))
        share_bounds(groups, known)
        postcodes = frozenset(word for code in POSTCODE.findall(entry) for word in fold(code).split())
        places += [_place(group, postcodes, known) for group in groups]
    return tuple(places) or _as_written(text)


def _place(group: Group, postcodes: frozenset[str], known: Gazetteer) -> Place:
    name, bounds = group.primary, group.bounds
    targets = _named(name, bounds, known) if name else frozenset(_likely(group.area, bounds, known))
    inside = [*targets] if name and targets else bounds
    if name and not bounds and (county := known.county(name)):
        inside = [*inside, county]
    names = [one for one in (name, *group.names) if one]
    return Place(
        targets=targets,
        within=frozenset([up for path in inside for up in _upwards(path)]),
        bounds=frozenset(bounds) if name else frozenset(),
        name=name,
        heads=frozenset([head for one in names for head in _heads(one)]),
        words=postcodes.union([word for one in names for word in one.split()]),
        text=" ".join(names),
        remote=group.remote,
        anywhere=group.anywhere,
    )


def _named(name: str, bounds: list[str], known: Gazetteer) -> frozenset[str]:
    if not bounds:
        areas = known.areas(name)
        return frozenset([*[city.path for city in known.cities(name)], *_likely(name, areas, known)])
    cities = [city.path for city in known.cities_within(name, bounds)]
    inside = [a for a in known.areas(name) if any(within(a, b) and a != b for b in bounds)]
    return frozenset([*cities, *inside])


def _likely(name: str, areas: list[str], known: Gazetteer) -> list[str]:
    """The areas that a name means without more: of a code that a state and a country share, the state."""
    if known.is_code(name) and name not in tables.TWO_MEANINGS and "/" in areas[0]:
        return areas[:1]
    return areas


@lru_cache(maxsize=16_384)
def _upwards(path: str) -> tuple[str, ...]:
    """A path and all that it lies in."""
    steps = path.split("/")
    return tuple(["/".join(steps[:length]) for length in range(1, len(steps) + 1)])


@lru_cache(maxsize=16_384)
def _heads(name: str) -> tuple[str, ...]:
    """A name and the whole words that it begins with; "London Road" and "York House" begin with no town's name."""
    words = name.split()
    ends = [end for end in range(1, len(words) + 1) if _STREETS.isdisjoint(words[end : end + 1])]
    return tuple([" ".join(words[:end]) for end in ends])


def _as_written(text: str) -> tuple[Place, ...]:
    """A text that names no place is compared by its words if it holds digits, such as a postcode; else it is none."""
    name = fold(text[:_READ])
    if not any(letter.isdigit() for letter in name):
        return ()
    words, none = frozenset(name.split()), frozenset[str]()
    return (
        Place(none, none, none, name, frozenset(_heads(name)), words, name, remote=False, anywhere=False),
    )
