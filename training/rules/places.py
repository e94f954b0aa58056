"""Towns in the location field of postings."""

from __future__ import annotations

import re

ALIASES = {
    "sf": "san francisco",
    "san francisco bay area": "san francisco",
    "bay area": "san francisco",
    "sf bay area": "san francisco",
    "soma": "san francisco",
    "nyc": "new york",
    "new york city": "new york",
    "manhattan": "new york",
    "brooklyn": "new york",
    "la": "los angeles",
    "dc": "washington",
    "washington dc": "washington",
}
_COUNTRIES = frozenset(
    [
        "gb uk us usa united kingdom",
        "united states",
        "england",
        "wales",
        "scotland",
        "germany",
        "canada",
        "france",
        "netherlands",
        "the netherlands",
        "australia",
        "spain",
        "ireland",
        "switzerland",
        "sweden",
        "india",
        "israel",
        "singapore",
        "europe",
        "eu",
        "worldwide",
        "anywhere",
        "remote",
        "global",
    ]
) | {"gb", "uk", "us", "usa"}
_NOT_TOWNS = re.compile(
    r"\d|hospital|centre|center|clinic|house|unit|road|street|hmp|trust|health|surgery|park|lane|building|infirmary|"
    r"various|site|base|court|campus|county|office|school|remote|onsite|ward|region|area|full|visa|multiple|hybrid|lodge|avenue|floor|and |or |/|&|;|\+"
)


def place_of(location: str | None) -> str | None:
    """The first town that a location names, in lower case, such as "leeds" of "Leeds, GB"; None where there is none."""
    parts = [_plain(part) for part in re.split(r"[,(]", (location or "").lower())]
    towns = [ALIASES.get(p, p) for p in parts if p not in _COUNTRIES and (len(p) > 2 or p in ALIASES)]
    towns = [town for town in towns if not _NOT_TOWNS.search(town) and len(town.split()) <= 3]
    return towns[0] if towns else None


def names(location: str | None, place: str) -> bool:
    """Whether a location names a place, under any of the place's names."""
    plain = f" {_plain(re.sub(r'[^a-z.]+', ' ', (location or '').lower()))} "
    return any(f" {name} " in plain for name in (place, *(a for a, town in ALIASES.items() if town == place)))


def _plain(text: str) -> str:
    return " ".join(text.replace(".", " ").replace(")", " ").split())
