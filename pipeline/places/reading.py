"""Read the text of a location field, of a search or of a posting, as places."""

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from pipeline.places import tables
from pipeline.places.cleaning import JOINT, Component, components
from pipeline.places.folding import fold
from pipeline.places.gazetteer import Gazetteer, gazetteer, within
from schemas.characters import seen

_ENTRIES = re.compile(r"[;|\n\u2022\u00b7\u30fb\uff1b]")
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


@lru_cache(maxsize=65_536)
def read_places(text: str) -> tuple[Place, ...]:
    """The places that a text names; none if it names no place at all, such as "various"."""
    known = gazetteer()
    places = []
    for entry in _ENTRIES.split(seen(text[:_READ])):
        groups = list(_groups(components(entry, known), known))
        _share_bounds(groups, known)
        places += [_place(group, known) for group in groups]
    return tuple(places) or _as_written(text)


@dataclass(slots=True)
class _Group:
    """Components that describe one place together."""

    primary: str = ""
    is_city: bool = False
    bounds: list[str] = field(default_factory=list)
    #: the one code or area that the group consists of, if it has no primary
    area: str = ""
    names: list[str] = field(default_factory=list)
    remote: bool = False
    anywhere: bool = False
    #: whether another place stands before it in the same entry: then "Remote" after it is a place of its own
    later: bool = False

    def empty(self) -> bool:
        return not (self.primary or self.bounds or self.remote or self.anywhere)


def _groups(parts: Iterable[Component], known: Gazetteer) -> Iterator[_Group]:
    group = _Group()
    for part in parts:
        if part is JOINT or not _take(group, part, known):
            if not group.empty():
                yield group
            group = _Group(later=group.later or not group.empty())
            if part is not JOINT:
                _take(group, part, known)
    if not group.empty():
        yield group


def _take(group: _Group, part: Component, known: Gazetteer) -> bool:
    """Add a component to the group; False, and nothing added, if another place begins with it."""
    if part.remote or part.anywhere:
        if group.later and group.primary:
            return False
        group.remote |= part.remote
        group.anywhere = True
        return True
    if part.name == group.primary:
        return True
    county = known.county(part.name)
    areas = known.areas(part.name) or ([county] if county and (group.primary or group.bounds) else [])
    if areas and _bound(group, part.name, areas, known):
        if not known.is_code(part.name):
            group.names.append(part.name)
        return True
    if known.cities(part.name) or (group.bounds and known.cities_within(part.name, group.bounds)):
        return _take_city(group, part.name, known)
    return _take_text(group, part.name, areas)


def _bound(group: _Group, name: str, areas: list[str], known: Gazetteer) -> bool:
    """Take a region or country as the area that the group's place lies in, if it can be one."""
    if not group.primary:
        if known.cities(name) and (not group.bounds or known.cities_within(name, group.bounds)):
            return False
        if group.bounds and not (both := _both(group.bounds, areas)):
            return _town_called_like_an_area(group, areas, known)
        group.area = "" if group.bounds else name
        group.bounds = both if group.bounds else areas
        return True
    if not group.is_city and known.cities(name):
        return False
    if group.bounds:
        if both := _both(group.bounds, areas):
            group.bounds = both
        return bool(both)
    inside = known.cities_within(group.primary, areas) if group.is_city else []
    nested = _both(known.areas(group.primary), areas)
    if (
        group.is_city
        and not inside
        and not nested
        and (known.cities(name) or not known.cities(group.primary))
    ):
        return False
    group.bounds = [
        a for a in areas if any(within(c.path, a) for c in inside) or _both(known.areas(group.primary), [a])
    ]
    group.bounds = group.bounds or areas
    return True


def _town_called_like_an_area(group: _Group, areas: list[str], known: Gazetteer) -> bool:
    """Take "Lebanon, NH" as a town: a country's name before a state that does not lie in that country."""
    if not group.area or known.is_code(group.area) or "/" not in areas[0] or "/" in group.bounds[0]:
        return False
    group.primary, group.area, group.names = group.area, "", []
    group.bounds = [area for area in areas if "/" in area]
    return True


def _take_city(group: _Group, name: str, known: Gazetteer) -> bool:
    if group.bounds and not known.cities_within(name, group.bounds):
        return False
    if group.is_city:
        return False
    if group.primary:
        group.names.append(group.primary)
    group.primary, group.is_city, group.area = name, True, ""
    return True


def _take_text(group: _Group, name: str, areas: list[str]) -> bool:
    """Take a name that is no city, or a second area that does not go with the first, which begins a place."""
    if areas and (group.bounds or group.primary):
        return False
    if not group.primary and not (group.bounds and group.names):
        group.primary, group.area = name, ""
    else:
        group.names.append(name)
    return True


def _share_bounds(groups: list[_Group], known: Gazetteer) -> None:
    """Give a place the area of the place behind it: "Boston/Cambridge, MA", "Remote (US/UK)"."""
    for before, group in itertools.pairwise(groups):
        if before.remote and group.bounds and not (before.primary or group.primary):
            group.remote = group.anywhere = True
    for group, following in zip(groups[-2::-1], groups[:0:-1], strict=False):
        if group.primary and not group.bounds and following.primary and following.bounds:
            wide = [*following.bounds, *(bound.split("/")[0] for bound in following.bounds)]
            for bounds in (following.bounds, wide):
                if not group.is_city or known.cities_within(group.primary, bounds):
                    group.bounds = bounds
                    break


def _both(some: list[str], others: list[str]) -> list[str]:
    """The narrower one of each two areas of which one lies in the other."""
    found = [a if within(a, b) else b for a in some for b in others if within(a, b) or within(b, a)]
    return list(dict.fromkeys(found))


def _place(group: _Group, known: Gazetteer) -> Place:
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
        words=frozenset([word for one in names for word in one.split()]),
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
    """A name and the whole words that it begins with."""
    words = name.split()
    return tuple([" ".join(words[:length]) for length in range(1, len(words) + 1)])


def _as_written(text: str) -> tuple[Place, ...]:
    """A text that names no place is compared by its words if it holds digits, such as a postcode; else it is none."""
    name = fold(text[:_READ])
    if not any(letter.isdigit() for letter in name):
        return ()
    words, none = frozenset(name.split()), frozenset[str]()
    return (
        Place(none, none, none, name, frozenset(_heads(name)), words, name, remote=False, anywhere=False),
    )
