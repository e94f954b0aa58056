"""Put the components of a location together into the groups that describe one place each."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pipeline.places.cleaning import JOINT, Component
from pipeline.places.gazetteer import Gazetteer, within

#: Most areas that a name or code may mean; what names more is a group of countries, which no town is called after.
_CODE_MEANINGS = 3


@dataclass(slots=True)
class Group:
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
        """Whether no component is in the group."""
        return not (self.primary or self.bounds or self.remote or self.anywhere)


def grouped(parts: Iterable[Component], known: Gazetteer) -> Iterator[Group]:
    """The groups of an entry's components, in its order."""
    group = Group()
    for part in parts:
        if part is JOINT or not _take(group, part, known):
            if not group.empty():
                yield group
            group = Group(later=group.later or not group.empty())
            if part is not JOINT:
                _take(group, part, known)
    if not group.empty():
        yield group


def _take(group: Group, part: Component, known: Gazetteer) -> bool:
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


def _bound(group: Group, name: str, areas: list[str], known: Gazetteer) -> bool:
    """Take a region or country as the area that the group's place lies in, if it can be one."""
    if not group.primary:
        return _bound_alone(group, name, areas, known)
    if not group.is_city and known.cities(name):
        return False
    bounds = _both(group.bounds, areas) if group.bounds else _around(group, name, areas, known)
    group.bounds = bounds or group.bounds
    return bool(bounds)


def _bound_alone(group: Group, name: str, areas: list[str], known: Gazetteer) -> bool:
    """Take an area before any name: "US, CA, ...", but a town of that name as a town."""
    if known.cities(name) and (not group.bounds or known.cities_within(name, group.bounds)):
        return False
    bounds = _both(group.bounds, areas) if group.bounds else areas
    if not bounds:
        return _town_called_like_an_area(group, areas, known)
    group.area = "" if group.bounds else name
    group.bounds = bounds
    return True


def _around(group: Group, name: str, areas: list[str], known: Gazetteer) -> list[str]:
    """Those of the areas that the group's place lies in; all if none is known to, as in "Paris, OR", but for lists."""
    towns = known.cities_within(group.primary, areas) if group.is_city else []
    wider = known.areas(group.primary)
    found = [area for area in areas if any(within(t.path, area) for t in towns) or _both(wider, [area])]
    listed = group.is_city and (known.cities(name) or len(areas) > _CODE_MEANINGS)
    if not found and group.is_city and (homes := known.countries_with(group.primary, name)):
        return homes
    return found if found or listed else areas


def _town_called_like_an_area(group: Group, areas: list[str], known: Gazetteer) -> bool:
    """Take "Lebanon, NH" as a town: a country's name before a state that does not lie in that country."""
    if not group.area or known.is_code(group.area) or "/" not in areas[0] or "/" in group.bounds[0]:
        return False
    group.primary, group.area, group.names = group.area, "", []
    group.bounds = [area for area in areas if "/" in area]
    return True


def _take_city(group: Group, name: str, known: Gazetteer) -> bool:
    if group.bounds and not known.cities_within(name, group.bounds):
        return False
    if group.is_city:
        return False
    if group.primary:
        group.names.append(group.primary)
    group.primary, group.is_city, group.area = name, True, ""
    return True


def _take_text(group: Group, name: str, areas: list[str]) -> bool:
    """Take a name that is no city, or a second area that does not go with the first, which begins a place."""
    if areas and (group.bounds or group.primary):
        return False
    if not group.primary and not (group.bounds and group.names):
        group.primary, group.area = name, ""
    else:
        group.names.append(name)
    return True


def share_bounds(groups: list[Group], known: Gazetteer) -> None:
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
