"""Search of a posting's full text for what it states and denies; no ranker reads the result."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from training.judging.postings import PostingRow
from training.rules.lexicon.entries import RuleFacet, RuleLexicon
from training.rules.places import place_of
from training.rules.prefilter import may_match, search

HEAD_CHARACTERS = 300
"""Characters at the start of the text that are searched for occupations that the title does not name."""
SNIPPET_MARGIN = 25
_DENIED_BEFORE = re.compile(
    r"(?:\b(?:no|not|without|never|neither|nor|non|cannot|unable to (?:offer|provide)|isn[’']t|aren[’']t|don[’']t|doesn[’']t)"
    r"(?! (?:only|just|merely|limited|matter))[ -](?:(?:a|an|any|the|need|require|offer|provide|have|require any|do|be|in|for|to|of) ){0,3})$"
)
_DENIED_AFTER = re.compile(
    r"^[^.\n;,]{0,25}?\b(?:is|are|be)? ?(?:not|n[’']t) (?:be )?(?:essential|required|needed|necessary|available|offered|provided|possible|supported|an option)"
    r"|^[^.\n;,\w]{0,3}(?:work|hours|position|role)?s? ?: ?no\b|^[^.\n;,]{0,20}\bunavailable\b"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one posting says: facets stated and denied, each with the snippet that says so, occupations, place.

    `occupations`: named in the title; `head`: named only in the first 300 characters of the text. `place`: the town
    of the posting's location, None where it names none.
    """

    stated: dict[str, str]
    denied: dict[str, str]
    occupations: tuple[str, ...]
    head: tuple[str, ...]
    place: str | None

    def as_json(self) -> dict[str, Any]:
        """A plain object that `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Evidence:
        """The evidence that `as_json` wrote."""
        return cls(**row | {"occupations": tuple(row["occupations"]), "head": tuple(row["head"])})


def evidence(posting: PostingRow, words: RuleLexicon) -> Evidence:
    """Search one posting for the lexicon's entries: title, whole text, employment type and workplace."""
    item = posting.item
    text = f"{item.title}\n{item.text}\nemployment: {item.employment_type}\nworkplace: {item.remote}"
    lower = text.lower()
    stated: dict[str, str] = {}
    denied: dict[str, str] = {}
    for facet in words.facets.values():
        says, snippet = facet_in(facet, text, lower)
        if says:
            (stated if says > 0 else denied)[facet.key] = snippet
    for facet in words.facets.values():
        _oppose(facet, stated, denied)
    title = item.title.lower()
    head = _occupations(item.text[:HEAD_CHARACTERS].lower(), words)
    named = _occupations(title, words)
    return Evidence(
        stated=stated,
        denied=denied,
        occupations=named,
        head=tuple(key for key in head if key not in named),
        place=place_of(item.location),
    )


def facet_in(facet: RuleFacet, text: str, lower: str) -> tuple[int, str]:
    """Whether a text states (1), denies (-1) or does not mention (0) a facet, and the snippet that says so.

    `lower` is the text in lower case. A match of the facet's own denial rule decides first. A statement inside a
    negation ("no X", "X is not required") is a denial, unless another statement of the facet is not negated.
    """
    if facet.denied and (match := search(facet.denied, lower)):
        return -1, _snippet(lower, match)
    inside: re.Match[str] | None = None
    for match in _statements(facet, text, lower):
        if not negated(lower, match):
            return 1, _snippet(lower, match)
        inside = inside or match
    return (-1, _snippet(lower, inside)) if inside else (0, "")


def _statements(facet: RuleFacet, text: str, lower: str) -> Iterable[re.Match[str]]:
    if may_match(facet.stated, lower):
        yield from facet.stated.finditer(lower)
    if facet.cased and may_match(facet.cased, text):
        yield from facet.cased.finditer(text)


def negated(lower: str, match: re.Match[str]) -> bool:
    """Whether the words just before or after a statement negate it."""
    start, end = match.span()
    return bool(
        _DENIED_BEFORE.search(lower[max(0, start - 40) : start]) or _DENIED_AFTER.match(lower[end : end + 60])
    )


def _oppose(facet: RuleFacet, stated: dict[str, str], denied: dict[str, str]) -> None:
    """Deny a facet whose opposite the text states, unless it states the facet as well."""
    for other in facet.opposed_by:
        if other in stated and facet.key not in stated:
            denied.setdefault(facet.key, stated[other])


def _snippet(text: str, match: re.Match[str]) -> str:
    part = text[max(0, match.start() - SNIPPET_MARGIN) : match.end() + SNIPPET_MARGIN]
    return " ".join(part.split())[:120]


def _occupations(text: str, words: RuleLexicon) -> tuple[str, ...]:
    """Occupations that a text names; a general one is left out where the text names a kind of it."""
    named = [
        key
        for key, occupation in words.occupations.items()
        if search(occupation.title, text) and not (occupation.unless and search(occupation.unless, text))
    ]
    return tuple(key for key in named if words.occupations[key].includes.isdisjoint(named))
