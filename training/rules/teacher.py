"""The rule teacher: grades of an occupation, facets and a place asked for, from evidence in the full text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.errors import ConfigError
from training.judging.postings import PostingRow
from training.judging.records import MAX_GRADE, Ask, Verdict
from training.rules import places
from training.rules.evidence import Evidence, evidence
from training.rules.lexicon.entries import Lexicon

VERSION = 1
NAME = f"rules@{VERSION}"
Aggregate = Callable[[Mapping[str, int]], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a query hides: an occupation, facets, a town; `Ask.needs` holds it as a plain object."""

    occupation: str
    facets: tuple[str, ...] = ()
    place: str | None = None

    def as_json(self, words: Lexicon) -> dict[str, Any]:
        """With each facet's weight spelled out, for whoever reads the judged file."""
        facets = {key: "hard" if words.facets[key].hard else "soft" for key in self.facets}
        return {"domain": words.domain, "occupation": self.occupation, "facets": facets, "place": self.place}

    @classmethod
    def from_json(cls, ask: Ask, words: Lexicon) -> Needs:
        """The needs of an ask; ConfigError names the ask and the key that the lexicon lacks."""
        needs = ask.needs
        unknown = [key for key in needs.get("facets", {}) if key not in words.facets]
        unknown += [key for key in [needs.get("occupation")] if key not in words.occupations]
        if unknown:
            raise ConfigError(
                f"query {ask.query_id}: its needs name {unknown[0]}, which the {words.domain} lexicon does not have"
            )
        return cls(
            occupation=needs["occupation"], facets=tuple(needs.get("facets", ())), place=needs.get("place")
        )


@dataclass(frozen=True, slots=True)
class RuleTeacher:
    """Judges by the lexicon of one domain; postings' evidence is looked up in `known`, else found and kept there."""

    words: Lexicon
    known: dict[str, Evidence] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Who judged, and by which version."""
        return NAME

    def judge_many(self, pairs: Sequence[tuple[Ask, PostingRow]]) -> list[Verdict | None]:
        """One verdict a pair; None where neither title nor text tells the occupation, or the place is unclear."""
        return [self.judge(Needs.from_json(ask, self.words), posting) for ask, posting in pairs]

    def judge(self, needs: Needs, posting: PostingRow) -> Verdict | None:
        """The grades of one posting for these needs."""
        found = self.evidence_of(posting)
        occupation = occupation_grade(needs.occupation, found, self.words)
        place = place_met(needs.place, posting, found)
        if occupation is None or (place is None and occupation >= 3):
            return None
        grades = {
            "occupation": occupation,
            "requirements": requirements_grade(needs.facets, found, self.words),
            "constraints": constraints_grade(needs.facets, found, self.words, place_met=place is not False),
        }
        return Verdict(
            grades=grades, rationale=_rationale(needs, found, grades), evidence=_shown(needs, found)
        )

    def evidence_of(self, posting: PostingRow) -> Evidence:
        """The posting's evidence, found once."""
        if posting.posting_id not in self.known:
            self.known[posting.posting_id] = evidence(posting, self.words)
        return self.known[posting.posting_id]


def occupation_grade(asked: str, found: Evidence, words: Lexicon) -> int | None:
    """4 the same, 3 closely related, 1 of the same field, 0 another; None where the title says nothing."""
    wanted = words.occupations[asked]
    same = {asked} | wanted.includes
    if not same.isdisjoint(found.occupations):
        return MAX_GRADE
    if not found.occupations:
        return None
    if not wanted.close.isdisjoint(found.occupations):
        return 3
    if not same.isdisjoint(found.head):
        return None
    return int(any(words.occupations[key].field == wanted.field for key in found.occupations))


def requirements_grade(asked: Sequence[str], found: Evidence, words: Lexicon) -> int:
    """4 all facets stated, 3 one soft facet unmentioned beside others stated, 2 half of them, else 1."""
    missing = [key for key in asked if key not in found.stated]
    if not missing:
        return MAX_GRADE
    met = len(asked) - len(missing)
    gentle = not words.facets[missing[0]].hard and missing[0] not in found.denied
    if met and len(missing) == 1 and gentle:
        return 3
    return 2 if 2 * met >= len(asked) else 1


def constraints_grade(asked: Sequence[str], found: Evidence, words: Lexicon, *, place_met: bool) -> int:
    """4 all met, 2 the place is off, 1 the text contradicts a hard facet."""
    if any(words.facets[key].hard and key in found.denied for key in asked):
        return 1
    return MAX_GRADE if place_met else 2


def place_met(place: str | None, posting: PostingRow, found: Evidence) -> bool | None:
    """Whether the posting is in the town; None where its location is empty or only its text speaks of the town."""
    if place is None or places.names(posting.item.location, place):
        return True
    if places.names(posting.item.company, place) or found.place is None or "remote" in found.stated:
        return None
    return None if place in posting.item.text.lower() else False


def _shown(needs: Needs, found: Evidence) -> dict[str, Any]:
    return {
        "stated": {key: found.stated[key] for key in needs.facets if key in found.stated},
        "denied": {key: found.denied[key] for key in needs.facets if key in found.denied},
        "occupations": list(found.occupations),
        "place": found.place,
    }


def _rationale(needs: Needs, found: Evidence, grades: Mapping[str, int]) -> str:
    kind = {
        4: "the occupation asked for",
        3: "a closely related occupation",
        1: "another occupation of the field",
    }
    says = {
        key: "denied" if key in found.denied else "stated" if key in found.stated else "not said"
        for key in needs.facets
    }
    parts = [
        kind.get(grades["occupation"], "another occupation"),
        *(f"{key}: {said}" for key, said in says.items()),
    ]
    if needs.place:
        parts.append(f"place: {'as asked' if grades['constraints'] == MAX_GRADE else 'off or contradicted'}")
    return "; ".join(parts)
