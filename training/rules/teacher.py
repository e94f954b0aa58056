"""The rule teacher: grades for the occupation, facets and place of a query, from evidence in the full text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.errors import ConfigError
from training.judging.postings import PostingRow
from training.judging.records import MAX_GRADE, Ask, AskedPair, TeacherVerdict
from training.rules import places
from training.rules.evidence import HEAD_CHARACTERS, Evidence, evidence
from training.rules.lexicon.entries import RuleLexicon, RuleOccupation

VERSION = 2
NAME = f"rules@{VERSION}"
Aggregate = Callable[[Mapping[str, int]], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """The meaning of a query: an occupation, facets, a town; `Ask.needs` holds it as a plain object.

    `wording`: the query's words for the occupation, which may mean one kind of it alone. `without`: a facet that must
    not be.
    """

    occupation: str
    facets: tuple[str, ...] = ()
    place: str | None = None
    wording: str = ""
    without: str | None = None

    def as_json(self, words: RuleLexicon) -> dict[str, Any]:
        """A plain object; it says of each facet whether it is hard or soft, for readers of the judged file."""
        facets = {key: "hard" if words.facets[key].hard else "soft" for key in self.facets}
        whole = {"domain": words.domain, "occupation": self.occupation, "facets": facets, "place": self.place}
        return whole | {"wording": self.wording, "without": self.without}

    @classmethod
    def from_json(cls, ask: Ask, words: RuleLexicon) -> Needs:
        """The needs of an ask; ConfigError names the ask and the key that the lexicon lacks."""
        needs = ask.needs
        unknown = [key for key in needs.get("facets", {}) if key not in words.facets]
        unknown += [key for key in [needs.get("without")] if key and key not in words.facets]
        unknown += [key for key in [needs.get("occupation")] if key not in words.occupations]
        if unknown:
            raise ConfigError(
                f"query {ask.query_id}: its needs name {unknown[0]}, which the {words.domain} lexicon does not have"
            )
        return cls(
            occupation=needs["occupation"],
            facets=tuple(needs.get("facets", ())),
            place=needs.get("place"),
            wording=str(needs.get("wording") or ""),
            without=needs.get("without"),
        )


@dataclass(frozen=True, slots=True)
class RuleTeacher:
    """Judges by the lexicon of one domain; evidence that is not in `known` is searched for and added."""

    words: RuleLexicon
    known: dict[str, Evidence] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The teacher and its version."""
        return NAME

    def judge_many(self, pairs: Sequence[AskedPair]) -> list[TeacherVerdict | None]:
        """One verdict for each pair; None where the occupation cannot be told, or the place is unclear."""
        return [self.judge(Needs.from_json(ask, self.words), posting) for ask, posting in pairs]

    def judge(self, needs: Needs, posting: PostingRow) -> TeacherVerdict | None:
        """The grades of one posting for these needs."""
        found = self.evidence_of(posting)
        grades = grades_of(needs, posting, found, self.words)
        if grades is None:
            return None
        return TeacherVerdict(
            grades=grades, rationale=_rationale(needs, found, grades), evidence=_shown(needs, found)
        )

    def evidence_of(self, posting: PostingRow) -> Evidence:
        """The posting's evidence, searched for once."""
        if posting.posting_id not in self.known:
            self.known[posting.posting_id] = evidence(posting, self.words)
        return self.known[posting.posting_id]


def grades_of(
    needs: Needs, posting: PostingRow, found: Evidence, words: RuleLexicon
) -> dict[str, int] | None:
    """The grade of each dimension; None where the occupation cannot be told, or the place is unclear."""
    occupation = asked_grade(needs, posting, found, words)
    place = place_met(needs.place, posting, found)
    if occupation is None or (place is None and occupation >= 3):
        return None
    return {
        "occupation": occupation,
        "requirements": requirements_grade(needs.facets, found, words),
        "constraints": min(
            constraints_grade(needs.facets, found, words, place_met=place is not False),
            without_grade(needs.without, found.stated, found.denied),
        ),
    }


def asked_grade(needs: Needs, posting: PostingRow, found: Evidence, words: RuleLexicon) -> int | None:
    """The grade of the occupation, and of the kind of it that the query's wording names."""
    grade = occupation_grade(needs.occupation, found, words)
    return grade and min(grade, kind_grade(words.occupations[needs.occupation], needs.wording, posting))


def kind_grade(occupation: RuleOccupation, wording: str, posting: PostingRow) -> int:
    """4: the kind that a wording names, or it names none; 3: the posting names no kind; 2: it names another."""
    lower, title = wording.lower(), posting.item.title.lower()
    asked = [kind for kind in occupation.kinds if kind.search(lower)]
    if not asked or any(kind.search(title) for kind in asked):
        return MAX_GRADE
    if any(kind.search(title) for kind in occupation.kinds):
        return 2
    head = posting.item.text[:HEAD_CHARACTERS].lower()
    return MAX_GRADE if any(kind.search(head) for kind in asked) else 3


def occupation_grade(asked: str, found: Evidence, words: RuleLexicon) -> int | None:
    """4: the same occupation, 3 or 2: closely related (`near_grade`), 1: of the same field, 0: another.

    None where it cannot be told.
    """
    wanted = words.occupations[asked]
    same = {asked} | wanted.includes
    if not same.isdisjoint(found.occupations):
        return MAX_GRADE
    if not found.occupations:
        return None
    if near := wanted.close.intersection(found.occupations):
        return max(near_grade(wanted, words.occupations[key]) for key in near)
    if not same.isdisjoint(found.head):
        return None
    return int(any(words.occupations[key].field == wanted.field for key in found.occupations))


def near_grade(wanted: RuleOccupation, other: RuleOccupation) -> int:
    """3: who does the one could start in the other tomorrow; 2: that takes another registration or level."""
    apart = wanted.registers.isdisjoint(other.registers) and bool(wanted.registers | other.registers)
    return 2 if apart or wanted.leads is not other.leads else 3


def requirements_grade(asked: Sequence[str], found: Evidence, words: RuleLexicon) -> int:
    """4: all facets stated, 3: all but one soft one, which is not denied, 2: at least half, 1: fewer."""
    missing = [key for key in asked if key not in found.stated]
    if not missing:
        return MAX_GRADE
    met = len(asked) - len(missing)
    gentle = not words.facets[missing[0]].hard and missing[0] not in found.denied
    if met and len(missing) == 1 and gentle:
        return 3
    return 2 if 2 * met >= len(asked) else 1


def constraints_grade(asked: Sequence[str], found: Evidence, words: RuleLexicon, *, place_met: bool) -> int:
    """4: all met, 2: another place, 1: the text denies a hard facet."""
    if any(words.facets[key].hard and key in found.denied for key in asked):
        return 1
    return MAX_GRADE if place_met else 2


def without_grade(facet: str | None, stated: Collection[str], denied: Collection[str]) -> int:
    """4: the facet that must not be is denied, or none is named; 3: nothing is said of it; 1: it is stated."""
    if facet is None or (facet in denied and facet not in stated):
        return MAX_GRADE
    return 1 if facet in stated else 3


def place_met(place: str | None, posting: PostingRow, found: Evidence) -> bool | None:
    """Whether the posting is in the town.

    None where that is unclear: no location, remote work, or named in the text.
    """
    if place is None or places.names(posting.item.location, place):
        return True
    if places.names(posting.item.company, place) or found.place is None or "remote" in found.stated:
        return None
    return None if place in posting.item.text.lower() else False


def _shown(needs: Needs, found: Evidence) -> dict[str, Any]:
    named = [*needs.facets, *([needs.without] if needs.without else [])]
    return {
        "stated": {key: found.stated[key] for key in named if key in found.stated},
        "denied": {key: found.denied[key] for key in named if key in found.denied},
        "occupations": list(found.occupations),
        "place": found.place,
    }


def _rationale(needs: Needs, found: Evidence, grades: Mapping[str, int]) -> str:
    kind = {
        4: "the occupation asked for",
        3: "a closely related occupation",
        2: "the field at another level, or another kind of the occupation",
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
    if needs.without:
        held = (
            "stated"
            if needs.without in found.stated
            else "denied"
            if needs.without in found.denied
            else "not said"
        )
        parts.append(f"without {needs.without}: {held}")
    if needs.place:
        parts.append(f"place: {'as asked' if grades['constraints'] == MAX_GRADE else 'off or contradicted'}")
    return "; ".join(parts)
