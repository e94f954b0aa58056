"""The rules' lexicon: facets and occupations, how postings state them and how searchers word them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from schemas.errors import ConfigError
from training.judging.drawing import Domain
from training.judging.splits import stable

DOMAINS: tuple[Domain, ...] = ("health", "technology", "general")
HELD_OUT_PART = 1 / 3
"""Share of a facet's or occupation's wordings that no training query uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFacet:
    """A requirement that a searcher may have.

    `hard`: a posting that denies it is worse than one that does not mention it. `stated` and `denied` are searched in
    the lower-case text, `cased` in the text as written. If the text states a facet of `opposed_by` and not this one,
    this one counts as denied. `held_out`: only test queries ask for it, and no training reads its phrases. `avoided`:
    searchers also ask for work without it.
    """

    key: str
    held_out: bool
    hard: bool
    avoided: bool
    stated: re.Pattern[str]
    denied: re.Pattern[str] | None
    cased: re.Pattern[str] | None
    opposed_by: tuple[str, ...]
    phrases: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOccupation:
    """A kind of work, recognised in titles.

    A posting of an occupation in `includes` satisfies a search for this one; one in `close` nearly does. `held_out`:
    only test queries ask for it, and no training reads its wordings. `kinds` part what the entry holds together: a
    wording that one of them matches asks for that kind alone. `registers`: registrations, licences or specialisms, one
    of which it takes; `leads`: it leads others who do the work.
    """

    key: str
    held_out: bool
    field: str
    title: re.Pattern[str]
    unless: re.Pattern[str] | None
    includes: frozenset[str]
    close: frozenset[str]
    kinds: tuple[re.Pattern[str], ...]
    registers: frozenset[str]
    leads: bool
    wordings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLexicon:
    """The facets and occupations of one domain."""

    domain: Domain
    facets: Mapping[str, RuleFacet]
    occupations: Mapping[str, RuleOccupation]

    def test_only(self) -> frozenset[str]:
        """The occupations kept for the test split."""
        return frozenset(key for key, occupation in self.occupations.items() if occupation.held_out)

    def test_only_facets(self) -> frozenset[str]:
        """The facets kept for the test split."""
        return frozenset(key for key, facet in self.facets.items() if facet.held_out)

    def training_wordings(self) -> dict[str, tuple[str, ...]]:
        """By occupation the wordings that training may use; an occupation that is held out has no key."""
        return {o.key: _kept(o.wordings) for o in self.occupations.values() if not o.held_out}

    def training_phrases(self) -> dict[str, tuple[str, ...]]:
        """By facet the phrases that training may use; a facet that is held out has no key."""
        return {f.key: _kept(f.phrases) for f in self.facets.values() if not f.held_out}


@cache
def lexicon(domain: Domain) -> RuleLexicon:
    """The lexicon shipped for a domain; ConfigError names the file and the entry that is wrong."""
    facets = {key: _facet(key, row) for key, row in _read(f"{domain}_facets").items()}
    rows = _read(f"{domain}_occupations")
    close = {key: set(row.get("close", ())) for key, row in rows.items()}
    close = {key: near | {other for other in rows if key in close[other]} for key, near in close.items()}
    occupations = {key: _occupation(key, row, frozenset(close[key])) for key, row in rows.items()}
    return _checked(RuleLexicon(domain=domain, facets=facets, occupations=occupations))


def held_out(wordings: Sequence[str]) -> frozenset[str]:
    """The wordings that only the test split uses: a third, at least one, chosen by their hashes."""
    return frozenset(sorted(wordings, key=stable)[: max(1, round(HELD_OUT_PART * len(wordings)))])


def _kept(wordings: Sequence[str]) -> tuple[str, ...]:
    without = held_out(wordings)
    return tuple(wording for wording in wordings if wording not in without)


def _read(name: str) -> dict[str, dict[str, Any]]:
    """The tables of `NAME.toml` and of every `NAME_*.toml` beside it; ConfigError for a key that two files have."""
    rows: dict[str, dict[str, Any]] = {}
    for path in sorted(Path(__file__).parent.glob(f"{name}*.toml")):
        found = tomllib.loads(path.read_text("utf-8"))
        if twice := rows.keys() & found.keys():
            raise ConfigError(f"{path.name}: the entry {min(twice)} stands in another file of {name} as well")
        rows |= found
    return rows


def _facet(key: str, row: Mapping[str, Any]) -> RuleFacet:
    return RuleFacet(
        key=key,
        held_out=bool(row.get("held_out", False)),
        hard=bool(row.get("hard", False)),
        avoided=bool(row.get("avoided", False)),
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
        held_out=bool(row.get("held_out", False)),
        field=row["field"],
        title=re.compile(row["title"]),
        unless=_compiled(row.get("unless")),
        includes=includes,
        close=close - includes,
        kinds=tuple(re.compile(kind) for kind in row.get("kinds", ())),
        registers=frozenset(row.get("registers", ())),
        leads=bool(row.get("leads", False)),
        wordings=tuple(row["wordings"]),
    )


def _compiled(rule: str | None) -> re.Pattern[str] | None:
    return None if rule is None else re.compile(rule)


def _checked(words: RuleLexicon) -> RuleLexicon:
    check_one_owner(words.domain, {key: facet.phrases for key, facet in words.facets.items()})
    check_one_owner(words.domain, {key: one.wordings for key, one in words.occupations.items()})
    for facet in words.facets.values():
        _known(words.domain, facet.key, facet.opposed_by, words.facets)
    for occupation in words.occupations.values():
        _known(words.domain, occupation.key, occupation.close | occupation.includes, words.occupations)
    return words


def check_one_owner(domain: str, phrases: Mapping[str, Sequence[str]]) -> None:
    """Raise ConfigError naming a phrase, capitals aside, that two entries have: a query of it would mean two things."""
    owner: dict[str, str] = {}
    for key, said in phrases.items():
        for phrase in said:
            first = owner.setdefault(phrase.casefold(), key)
            if first != key:
                raise ConfigError(
                    f"the {domain} lexicon's phrase {phrase!r} belongs to {first} and to {key}: word one of them otherwise"
                )


def _known(domain: Domain, key: str, named: Sequence[str] | frozenset[str], known: Mapping[str, Any]) -> None:
    for other in named:
        if other not in known:
            raise ConfigError(
                f"the {domain} lexicon's entry {key} names {other}, which is not an entry of it"
            )
