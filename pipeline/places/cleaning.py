"""Cut the text of a location field into components: names without postcodes, filler words and words for remote work."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from pipeline.places.folding import fold
from pipeline.places.gazetteer import Gazetteer, within

POSTCODE = re.compile(
    r"\b(?:[A-Z]{1,2}\d[A-Z\d]?\s*\d[A-Z]{2}|[A-Z]\d[A-Z]\s?\d[A-Z]\d|(?:[A-Z]{1,2}-)?\d{4,6}(?:-\d{3,4})?)\b"
)
_PARTS = re.compile(r"[,()\[\]{}:\u3001\uff0c\uff08\uff09\uff1a]|\s[-\u2013\u2014]+\s|[\u2013\u2014]")
_CODES_FIRST = re.compile(r"^\s*[A-Z]{2,3}(?:-[A-Z]{2,3})?-(?=[A-Z][a-z])")
#: Words between places; "OR" in capitals only where a name follows, because it is Oregon at a place's end.
_JOINTS = re.compile(
    r"\s*[/&+]\s*|\s+(?:and|And|AND|or|Or|und|oder|et|ou|y|en|of)\s+(?=\S)|\s+OR\s+(?=[A-Za-z]{4})(?!(?i:usa|united))"
)
#: A joint that begins a part, as in "New York, or remote".
_JOINT_FIRST = re.compile(r"^(?:and|or|Or|und|oder|et|ou|y|&|OR(?= [A-Za-z]{4})(?! (?i:usa|united)))\s+")
#: Words that are codes of areas too, and no codes beside words for remote work: "remote OK", "no visa".
_WORDS_NOT_CODES = re.compile(r"\b(?:no|or|in|me|ok|hi|is|it|at|be|as|am|my|to|so|an|by|do|de|la|al)\b")
_REMOTE_WORDS = (
    r"remote(?:ly)?|telecommut\w*|tele ?work\w*|wfh|work(?:ing)? from (?:home|anywhere)|home ?office|home ?based|from home|"
    r"virtual|distributed|teletravail|teletrabajo|remoto|thuiswerk\w*|remotejob"
)
_NO_REMOTE = re.compile(rf"\b(?:no|not|non|kein|pas de|sin|geen)\b (?:{_REMOTE_WORDS})\b")
_REMOTE = re.compile(
    rf"\b(?:100 )?(?:fully |full |partly |partially )?(?:{_REMOTE_WORDS})(?: (?:only|first|friendly|ok|okay|option\w*|"
    r"position|role|job|jobs|work|worker|possible|eligible|available|allowed|anywhere))*\b"
)
_WORKPLACE = re.compile(
    r"\b(?:on ?site|in ?office|in ?person|hybrid\w*|full ?time|part ?time|contract|permanent|vor ort|visa|relocation)\b"
)
_ANYWHERE = frozenset(
    """
    anywhere|anywhere in the world|anywhere on earth|world|worldwide|world wide|global|globally|international|
    nationwide|national|countrywide|all locations|all cities|everywhere|any location|any|all|bundesweit|weltweit|uberall|
    partout|monde entier|toute la france|cualquier lugar|todo el pais|no preference|earth|planet earth
    """.replace("\n    ", "")
    .strip()
    .split("|")
)
_NOTHING = frozenset(
    """
    various|various locations|various location|various sites|multiple locations|multiple|several locations|many locations|
    other|other locations|locations|location|place|flexible|negotiable|tbd|tba|tbc|na|n a|none|null|nan|unknown|unspecified|
    not specified|not stated|not applicable|not available|to be determined|to be confirmed|see description|office|our office|
    headquarters|hq|client site|field|field based|multiple cities|diverse|verschiedene|divers|plusieurs|varios|diverse standorte
    """.replace("\n    ", "")
    .strip()
    .split("|")
)
_BEFORE = re.compile(
    r"^(?:locations?|in|near|nearby|at|around|based|within|from|the|de|city|cities|town|of|outside|downtown|central|centre|"
    r"greater|metro|metropolitan|inner|outer|anywhere|only|mainly|primarily|preferably|raum|grossraum|region|across|continental|contiguous|sw|se|nw|ne|"
    r"north|south|east|west|northern|southern|eastern|western|north ?west|north ?east|south ?west|south ?east) "
)
_AFTER = re.compile(
    r" (?:area|areas|metro|metropolitan|region|city|centre|center|central|downtown|town|only|based|time ?zones?|timezone|"
    r"residents?|citizens?|candidates?|surrounding|surroundings|and|suburbs?|cbd|district|preferred|wide|hours|und umgebung|mitte)$"
)


@dataclass(frozen=True, slots=True)
class Component:
    """One component of a place: its folded name, and whether it says that work is remote or may be done anywhere."""

    name: str
    remote: bool = False
    anywhere: bool = False


#: Stands between two components that belong to different places.
JOINT = Component("")


def components(text: str, known: Gazetteer) -> Iterator[Component]:
    """The components of one entry of a location field, with `JOINT` where "or", "and", "/" or "&" divides places."""
    if "-" in text:
        text = _CODES_FIRST.sub(lambda found: found[0].replace("-", ", "), text)
    for part in _PARTS.split(POSTCODE.sub(" ", text)):
        if stripped := part.strip():
            yield from _part(stripped, known)


# cached, because the places of a feed share their states, countries and towns
@lru_cache(maxsize=16_384)
def _part(part: str, known: Gazetteer) -> tuple[Component, ...]:
    """The components of one part, divided at its joints unless it is one name: "Brighton & Hove", "Frankfurt/Main"."""
    if known.knows(fold(part)):
        return tuple(_read_component(part, known))
    bare = _JOINT_FIRST.sub("", part)
    found = [] if bare == part else [JOINT]
    for number, piece in enumerate(_JOINTS.split(bare)):
        found += [JOINT] if number else []
        found += _read_component(piece, known)
    return tuple(found)


def _read_component(piece: str, known: Gazetteer) -> Iterator[Component]:
    name = fold(piece)
    if not known.knows(name):
        denied = _NO_REMOTE.sub(" ", name)
        rest = _REMOTE.sub(" ", denied)
        if rest != denied:
            yield Component("", remote=True)
        kept = _WORKPLACE.sub(" ", rest)
        name = " ".join((_WORDS_NOT_CODES.sub(" ", kept) if kept != name else kept).split())
        name = _stripped(name, known)
    if name in _ANYWHERE:
        yield Component("", anywhere=True)
    elif name and name not in _NOTHING:
        yield from _without_comma(name, piece, known)


def _stripped(name: str, known: Gazetteer) -> str:
    """The name without words around it such as "greater" and "area", unless it is known with them."""
    while name and not known.knows(name) and name not in _ANYWHERE and name not in _NOTHING:
        shorter = _AFTER.sub("", _BEFORE.sub("", name, count=1), count=1)
        if shorter == name:
            break
        if not known.knows(shorter) and known.knows(at_end := _AFTER.sub("", name, count=1)):
            return at_end
        name = shorter
    return name


def _without_comma(name: str, written: str, known: Gazetteer) -> list[Component]:
    """A name and the area behind it as two, where no comma stands between them: "Portland OR", "London UK"."""
    words = name.split()
    if known.knows(name):
        return [Component(name)]
    for length in (1, 2, 3):
        town, area = " ".join(words[:-length]), " ".join(words[-length:])
        if town and _is_area_of(town, area, written, known):
            return [JOINT, Component(_stripped(town, known)), Component(area)]
    return [Component(name)]


def _is_area_of(town: str, area: str, written: str, known: Gazetteer) -> bool:
    """Whether `area` is one and the town lies in it; a code in capitals or a full name needs no town that is known."""
    areas = known.areas(area)
    if not areas:
        return False
    if known.cities_within(town, areas) or any(within(b, a) for a in known.areas(town) for b in areas):
        return True
    capitals = written.rsplit(maxsplit=1)[-1].strip(".").isupper() and not written.isupper()
    return (
        capitals if known.is_code(area) else not any(within(a, b) for a in known.areas(town) for b in areas)
    )
