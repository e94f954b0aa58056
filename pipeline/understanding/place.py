"""Where a text wants to work, and how far from there."""

import re
from collections.abc import Iterator

from pipeline.places.distance import points
from pipeline.places.folding import fold
from pipeline.places.gazetteer import Gazetteer, gazetteer
from pipeline.understanding.not_places import NEVER, ONLY_CAPITAL, ONLY_LED
from pipeline.understanding.reading import TAKEN, Reading
from pipeline.understanding.understood import Part

#: The radius of "near", in kilometres.
NEAR_KM = 25
_KM = {"km": 1.0, "k": 1.0, "mi": 1.609344}
_DISTANCE = r"(?P<number>\d{1,3}(?:\.\d)?) ?(?P<unit>km|kms|kilomet\w+|miles?|mi)\b"
_WITHIN = re.compile(
    rf"\b(?:(?:within|max(?:imum)?|up to|less than|not more than|no more than|in) )*(?:an? )?{_DISTANCE}"
    r"(?: (?:radius|commute|drive|distance))?(?: (?:of|from|around|to|away from|radius))* (?:the )?"
)
_WITHIN_AFTER = re.compile(
    rf" ?,?\(?(?:within|plus|\+|\+/,|max(?:imum)?|up to)? ?{_DISTANCE}(?: (?:radius|around|max))?\)?"
)
_NEAR = re.compile(
    r"\b(?:near(?:by| to)?|close to|around|not far from|commut\w+ (?:distance )?(?:of|from|to)|in the (?:area|vicinity) of|nahe|"
    r"in der nahe von|pres de|cerca de|in and around|bei|raum) (?:the )?"
)
_IN = re.compile(
    r"\b(?:in|based in|located in|at|a|en|im|within|anywhere in|somewhere in|inside|living in|live in) (?:the |greater |central )?"
)
_AREA_AFTER = re.compile(
    r" (?:and|&) (?:the )?(?:surrounding(?:s| areas?)?|environs|umgebung|surroundings)\b| area\b| region\b"
)
_NEXT = re.compile(r" ?(?:,|/| or | and |&) ?(?:in |near |around )?")
_NAME = re.compile(r"[^\W\d_][\w'.]*(?:[ ][^\W\d_][\w'.]*){0,4}")
_LEAST_PEOPLE = 100_000
#: Short names that are no codes of areas where they stand in a text.
_CODES = frozenset(["uk", "usa", "us", "uae", "eu", "nyc", "la", "sf", "dc", "ny"])


def place_parts(reading: Reading) -> list[Part]:
    """The place, or several that are alternatives, and the radius around it."""
    for pattern, radius_km in ((_WITHIN, None), (_NEAR, float(NEAR_KM)), (_IN, 0.0)):
        for lead in reading.find(pattern):
            end = _places_end(reading, lead.end(), led=pattern is not _IN)
            if end > lead.end():
                return _parts(reading, lead, end, _kilometres(lead) if radius_km is None else radius_km)
    return _bare(reading)


def _bare(reading: Reading) -> list[Part]:
    """A large town that ends or begins the text, or a part of it, without a word that leads to it."""
    known = gazetteer()
    for start, end in _clause_ends(reading.plain):
        name = reading.plain[start:end]
        written = reading.written(start, end)
        if _is_large_town(name, known) and (written[:1].isupper() or reading.text.islower()):
            stop = max(_places_end(reading, start, led=False), end)
            return _named(reading, start, start, stop, 0.0)
    return []


def _clause_ends(plain: str) -> Iterator[tuple[int, int]]:
    """The last one, two or three words of each clause, the longest first, then its first ones."""
    for clause in re.finditer(rf"[^,;.:()|{TAKEN}]+", plain):
        words = list(re.finditer(r"\S+", clause[0]))
        for count in (3, 2, 1):
            if len(words) >= count:
                yield clause.start() + words[-count].start(), clause.start() + words[-1].end()
        for count in (3, 2, 1):
            if len(words) > count:
                yield clause.start() + words[0].start(), clause.start() + words[count - 1].end()


def _is_large_town(name: str, known: Gazetteer) -> bool:
    folded = fold(name)
    if len(folded) < 4 or folded in NEVER | ONLY_LED | ONLY_CAPITAL:
        return False
    return any(city.population >= _LEAST_PEOPLE for city in known.cities(folded))


def _places_end(reading: Reading, start: int, *, led: bool) -> int:
    """Where a list of places that begins at `start` ends; `start` where none begins there."""
    end = _name_end(reading, start, led=led)
    while end > start and (joint := _NEXT.match(reading.plain, end)):
        further = _name_end(reading, joint.end(), led=False, after_place="," in joint[0])
        if further <= joint.end():
            break
        end = further
    return end


def _name_end(reading: Reading, start: int, *, led: bool, after_place: bool = False) -> int:
    """Where the longest name of a place ends that begins at `start`; after "near" also a name that nobody knows."""
    match = _NAME.match(reading.plain, start)
    if match is None:
        return start
    known = gazetteer()
    words = list(re.finditer(r"\S+", match[0]))
    for count in range(len(words), 0, -1):
        end = start + words[count - 1].end()
        if _is_place(reading, start, end, known, after_place=after_place):
            return end
    return _unknown_end(reading, start, words) if led else start


def _is_place(reading: Reading, start: int, end: int, known: Gazetteer, *, after_place: bool) -> bool:
    name, written = fold(reading.plain[start:end]), reading.written(start, end)
    if after_place and written.isupper() and known.is_code(name):
        return True
    if name in NEVER or (name in ONLY_CAPITAL and not _has_own_capital(written, reading.text)):
        return False
    if known.is_code(name) or len(name) <= 3:
        return name in _CODES
    return known.knows(name)


def _has_own_capital(written: str, text: str) -> bool:
    return written[:1].isupper() and not text.isupper() and not text.istitle()


def _unknown_end(reading: Reading, start: int, words: list[re.Match[str]]) -> int:
    """Where a name with a capital letter ends, such as that of a village which the gazetteer lacks."""
    end = start
    for word in words:
        if not reading.written(start + word.start(), start + word.end())[:1].isupper():
            break
        end = start + word.end()
    return end


def _parts(reading: Reading, lead: re.Match[str], end: int, radius_km: float) -> list[Part]:
    return _named(reading, lead.start(), lead.end(), end, radius_km)


def _named(reading: Reading, start: int, begin: int, end: int, radius_km: float) -> list[Part]:
    value = re.sub(r"\s*(?:/|&|\bor\b|\band\b)\s*(?:in |near |around )?", "; ", reading.written(begin, end))
    stop, radius_km = _behind(reading.plain, end, radius_km)
    words = reading.written(start, stop).strip(" ,")
    span = reading.take(start, stop)
    parts = [Part(name="location", value=value, words=words, spans=(span,))]
    if radius_km and points(value):
        parts.append(Part(name="radius_km", value=f"{radius_km:g}", words=words))
    return parts


def _behind(plain: str, end: int, radius_km: float) -> tuple[int, float]:
    """Where what belongs to a place ends behind it, and the radius that is said there."""
    if area := _AREA_AFTER.match(plain, end):
        return area.end(), radius_km or float(NEAR_KM)
    if distance := _WITHIN_AFTER.match(plain, end):
        return distance.end(), _kilometres(distance)
    return end, radius_km


def _kilometres(match: re.Match[str]) -> float:
    unit = _KM["mi" if match["unit"].startswith("mi") else "km"]
    return round(float(match["number"]) * unit, 1)
