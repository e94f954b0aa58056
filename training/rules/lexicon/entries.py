"""The rules' lexicon: facets and occupations, how postings state them and how searchers word them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from schemas.errors import ConfigError
from training.judging.splits import stable

Domain = Literal["health", "technology"]
DOMAINS: tuple[Domain, ...] = ("health", "technology")
HELD_OUT_PART = 1 / 3
"""Share of a facet's or occupation's wordings that no training query uses."""
TEST_ONLY_PART = 0.12
"""Share of the occupations that no training query asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFacet:
    """A requirement that a searcher may have.

    `hard`: a posting that denies it is worse than one that does not mention it. `stated` and `denied` are searched in
    the lower-case text, `cased` in the text as written. If the text states a facet of `opposed_by` and not this one,
    this one counts as denied.
    """

    key: str
    hard: bool
    stated: re.Pattern[str]
    denied: re.Pattern[str] | None
    cased: re.Pattern[str] | None
    opposed_by: tuple[str, ...]
    phrases: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOccupation:
    """A kind of work, recognised in titles.

    A posting of an occupation in `includes` satisfies a search for this one; one in `close` nearly does.
    """

    key: str
    field: str
    title: re.Pattern[str]
    unless: re.Pattern[str] | None
    includes: frozenset[str]
    close: frozenset[str]
    wordings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLexicon:
    """The facets and occupations of one domain."""

    domain: Domain
    facets: Mapping[str, RuleFacet]
    occupations: Mapping[str, RuleOccupation]

    def test_only(self) -> frozenset[str]:
        """The occupations kept for the test split."""
        return frozenset(_strongest(sorted(self.occupations), TEST_ONLY_PART))


@cache
def lexicon(domain: Domain) -> RuleLexicon:
    """The lexicon shipped for a domain; ConfigError names the file and the entry that is wrong."""
    facets = {key: _facet(key, row) for key, row in _read(f"{domain}_facets.toml").items()}
    rows = _read(f"{domain}_occupations.toml")
    close = {key: set(row.get("close", ())) for key, row in rows.items()}
    close = {key: near | {other for other in rows if key in close[other]} for key, near in close.items()}
    occupations = {key: _occupation(key, row, frozenset(close[key])) for key, row in rows.items()}
    return _checked(RuleLexicon(domain=domain, facets=facets, occupations=occupations))


def held_out(wordings: Sequence[str]) -> frozenset[str]:
    """The wordings that only the test split uses: a third, at least one, chosen by their hashes."""
    return frozenset(_strongest(wordings, HELD_OUT_PART))


def _strongest(names: Sequence[str], part: float) -> list[str]:
    return sorted(names, key=stable)[: max(1, round(part * len(names)))]


def _read(name: str) -> dict[str, dict[str, Any]]:
    return tomllib.loads((Path(__file__).parent / name).read_text("utf-8"))


def _facet(key: str, row: Mapping[str, Any]) -> RuleFacet:
    return RuleFacet(
        key=key,
        hard=bool(row.get("hard", False)),
        stated=re.compile(row["stated"]),
        denied=_compiled(row.get("denied")),
        cased=_compiled(row.get("cased")),
        opposed_by=tuple(row.get("opposed_by", ())),
        phrases=tuple(row["phrases"]),
    )


def _occupation(key: str, row: Mapping[str, Any], close: frozenset[str]) -> RuleOccupation:
    includes = frozenset(row.get("includes", ()))
    return RuleOccupation(
        key=key,
        field=row["field"],
        title=re.compile(row["title"]),
        unless=_compiled(row.get("unless")),
        includes=includes,
        close=close - includes,
        wordings=tuple(row["wordings"]),
    )


def _compiled(rule: str | None) -> re.Pattern[str] | None:
    return None if rule is None else re.compile(rule)


def _checked(words: RuleLexicon) -> RuleLexicon:
    for facet in words.facets.values():
        _known(words.domain, facet.key, facet.opposed_by, words.facets)
    for occupation in words.occupations.values():
        _known(words.domain, occupation.key, occupation.close | occupation.includes, words.occupations)
    return words


def _known(domain: Domain, key: str, named: Sequence[str] | frozenset[str], known: Mapping[str, Any]) -> None:
    for other in named:
        if other not in known:
            raise ConfigError(
                f"the {domain} lexicon's entry {key} names {other}, which is not an entry of it"
            )
