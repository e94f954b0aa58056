"""The lexicon of generated postings: occupations, facets, places and prose, read from `words/*.txt`.

A hash assigns each phrase and occupation to the held-out or the training part. The held-out split uses only the one,
the training split only the other: figures on held-out postings are of occupations and wordings never trained on.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Literal

Split = Literal["train", "heldout", "all"]

HELD_OUT_OCCUPATIONS = 0.10
HELD_OUT_PHRASES = 0.20
SECTORS = ("health", "tech", "trades", "moving", "office")


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """One sentence of a posting; `span` is the part of `text` that states the fact."""

    text: str
    span: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """A skill as postings name it and as a searcher may word it."""

    name: str
    asked: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupation:
    """One kind of work; occupations of one `group` are closely related."""

    key: str
    group: str
    sector: str
    titles: tuple[str, ...]
    duties: tuple[str, ...]
    skills: tuple[Skill, ...]
    qualifications: tuple[str, ...]
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """A condition of work: how searchers ask for it, how postings state it and how they deny it."""

    key: str
    group: str
    queries: tuple[str, ...]
    texts: tuple[Phrase, ...]
    denials: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """All entries that the generator draws from."""

    occupations: tuple[Occupation, ...]
    facets: tuple[Facet, ...]
    prose: dict[str, tuple[str, ...]]
    towns: dict[str, tuple[str, ...]]
    company_parts: dict[str, tuple[str, ...]]

    def facet_groups(self) -> dict[str, tuple[Facet, ...]]:
        """Facets by the group within which only one can hold."""
        groups: dict[str, list[Facet]] = {}
        for facet in self.facets:
            groups.setdefault(facet.group, []).append(facet)
        return {name: tuple(facets) for name, facets in groups.items()}


def held_out(text: str, share: float) -> bool:
    """Whether a stable hash puts `text` into the held-out share of [0, 1]."""
    return zlib.crc32(text.encode()) % 1000 < 1000 * share


@lru_cache(maxsize=3)
def load(split: Split = "all") -> Lexicon:
    """The lexicon of a split: `train`, `heldout` (other occupations and wordings) or `all`."""
    occupations = tuple(_occupations())
    if split != "all":
        wanted = split == "heldout"
        occupations = tuple(o for o in occupations if held_out(o.key, HELD_OUT_OCCUPATIONS) is wanted)
    return Lexicon(
        occupations=occupations,
        facets=tuple(_facets(split)),
        prose=_table("prose.txt", "\n", split),
        towns=_table("places.txt", ";", "all"),
        company_parts=_table("companies.txt", ";", "all"),
    )


def terms() -> tuple[str, ...]:
    """Words of working life that a vocabulary shall hold as whole words."""
    return tuple(_unique(word for line in _lines("terms.txt") for word in line.partition(" | ")[2].split()))


def spellings() -> tuple[tuple[str, str], ...]:
    """Pairs (British, American) of letter sequences."""
    pairs = (line.split(" | ") for line in _lines("spelling.txt"))
    return tuple((british, american) for british, american in pairs)


def _lines(name: str) -> Iterator[str]:
    text = resources.files(__package__).joinpath("words", name).read_text(encoding="utf-8")
    return (line for line in text.splitlines() if line and not line.startswith("#"))


def _items(field: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in field.split(";") if part.strip())


def _occupations() -> Iterator[Occupation]:
    for sector in SECTORS:
        for line in _lines(f"occupations_{sector}.txt"):
            key, group, titles, duties, skills, qualifications, places = line.split("|")
            yield Occupation(
                key=key,
                group=group,
                sector=sector,
                titles=_items(titles),
                duties=_items(duties),
                skills=tuple(_skill(item) for item in _items(skills)),
                qualifications=_items(qualifications),
                places=_items(places),
            )


def _skill(item: str) -> Skill:
    name, _, asked = item.partition("=")
    return Skill(name=name, asked=asked or name)


def _facets(split: Split) -> Iterator[Facet]:
    lines = _lines("facets.txt")
    for header in lines:
        key, group = header.removeprefix("@").split()
        queries, texts, denials = (_items(next(lines).partition(":")[2]) for _ in range(3))
        yield Facet(
            key=key,
            group=group,
            queries=_part(queries, split),
            texts=tuple(_phrase(text) for text in _part(texts, split)),
            denials=_part(denials, split),
        )


def _phrase(marked: str) -> Phrase:
    match = re.search(r"\[(.+?)\]", marked)
    if match is None:
        raise ValueError(f"facets.txt: no [span] in {marked!r}")
    return Phrase(text=marked.replace("[", "").replace("]", ""), span=match[1])


def _part(phrases: tuple[str, ...], split: Split) -> tuple[str, ...]:
    """The split's share of the phrases; all of them where that share is empty."""
    if split == "all":
        return phrases
    part = tuple(p for p in phrases if held_out(p, HELD_OUT_PHRASES) is (split == "heldout"))
    return part or phrases


def _table(name: str, separator: str, split: Split) -> dict[str, tuple[str, ...]]:
    """Rows `key | values`; a key may repeat. Values of one-sentence kinds are not split at semicolons."""
    table: dict[str, list[str]] = {}
    for line in _lines(name):
        key, _, value = line.partition(" | ")
        many = separator == ";" or key.startswith(_LISTED)
        table.setdefault(key.strip(), []).extend(_items(value) if many else [value.strip()])
    return {key: _part(tuple(_unique(values)), split) for key, values in table.items()}


def _unique(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


_LISTED = ("heading", "question", "team", "duty_lead", "skill", "qual", "salary", "query")
