"""Generation of one posting: its facts, and its text as pieces tagged with the facts that they state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from training.synthetic import layouts, noise
from training.synthetic.facts import CONFLICTS, Facts
from training.synthetic.lexicon import Facet, Lexicon, Occupation
from training.synthetic.pieces import Piece, Sections

T = TypeVar("T")

REMOTE_GROUPS = ("tech", "office")
COMPANY_KIND = {
    "health": "health",
    "tech": "tech",
    "trades": "trades",
    "moving": "hospitality",
    "office": "office",
}
METADATA_TYPES = {
    "full_time": "full-time",
    "part_time": "part-time",
    "freelance": "contract",
    "fixed_term": "temporary",
}
METADATA_REMOTE = {"remote": "remote", "hybrid": "hybrid", "onsite": "onsite"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedPosting:
    """A generated posting: metadata, the pieces whose concatenation is the description, and its facts."""

    title: str
    company: str
    location: str | None
    employment_type: str | None
    remote: str | None
    salary: str | None
    pieces: tuple[Piece, ...]
    facts: Facts

    @property
    def description(self) -> str:
        """The whole text of the posting."""
        return "".join(piece.text for piece in self.pieces).strip()


class Writer:
    """Generates postings from one lexicon; all randomness comes from the `rng` given to its methods."""

    def __init__(self, lexicon: Lexicon, *, noisy: bool = True) -> None:
        self.lexicon = lexicon
        self.noisy = noisy
        self._groups = lexicon.facet_groups()
        self._facets = {facet.key: facet for facet in lexicon.facets}
        self._towns = [(country, town) for country, towns in lexicon.towns.items() for town in towns]

    def write(
        self, rng: Random, occupation: Occupation | None = None, richness: float | None = None
    ) -> GeneratedPosting:
        """One posting; `richness` in [0, 1] sets its length (about 80 to 700 words), random by default."""
        occupation = occupation or pick(rng, self.lexicon.occupations)
        size = rng.random() ** 1.5 if richness is None else richness
        country, town = pick(rng, self._towns)
        facets, denied = self._draw_facets(rng, occupation, size)
        chosen = rng.sample(
            occupation.skills, min(len(occupation.skills), 1 + int(rng.random() * 2 + 3 * size))
        )
        absent = [s for s in occupation.skills if s not in chosen]
        refused = [pick(rng, absent).name] if absent and rng.random() < 0.08 else []
        facts = Facts(
            occupation=occupation,
            facets=tuple(facet.key for facet in facets),
            denied=tuple([facet.key for facet in denied] + refused),
            skills=tuple(skill.name for skill in chosen),
            town=town,
        )
        title = self._title(rng, occupation, facts)
        company = self._company(rng, occupation)
        words = {
            "co": company,
            "t": title,
            "place": pick(rng, occupation.places),
            "loc": town.partition(",")[0],
        }
        words["team"] = pick(rng, self.lexicon.prose["team"])
        sections = self._sections(rng, facts, size, words, refused)
        pieces = layouts.arrange(rng, sections, self.lexicon.prose, title)
        if self.noisy:
            pieces = noise.distort(rng, pieces, american=country == "US")
        return GeneratedPosting(
            title=title,
            company=company,
            location=town if rng.random() < 0.85 else None,
            employment_type=_metadata(rng, METADATA_TYPES, facts.facets),
            remote=_metadata(rng, METADATA_REMOTE, facts.facets),
            salary=self._salary(rng, country) if rng.random() < 0.6 else None,
            pieces=tuple(pieces),
            facts=facts,
        )

    def _draw_facets(
        self, rng: Random, occupation: Occupation, size: float
    ) -> tuple[list[Facet], list[Facet]]:
        """Draw facets to state and to deny, at most one of each group and none in conflict with another."""
        stated: list[Facet] = []
        denied: list[Facet] = []
        shut: set[str] = set()
        share = 0.18 + 0.22 * size
        for name, group in self._groups.items():
            roll = rng.random()
            if roll > share or (name == "remote" and occupation.sector not in REMOTE_GROUPS and roll > 0.08):
                continue
            facet = pick(rng, group)
            if facet.key in shut:
                continue
            if rng.random() < 0.2:
                denied.append(facet)
                continue
            stated.append(facet)
            shut.update(CONFLICTS.get(facet.key, ()))
        return stated, denied

    def _title(self, rng: Random, occupation: Occupation, facts: Facts) -> str:
        title = pick(rng, occupation.titles)
        roll = rng.random()
        if "senior" in facts.facets and roll < 0.5:
            return f"Senior {title}"
        if "entry" in facts.facets and roll < 0.3:
            return f"{pick(rng, ('Junior', 'Trainee', 'Assistant'))} {title}"
        if roll > 0.93:
            return f"{title} - {pick(rng, occupation.skills).name}"
        if roll > 0.88:
            return f"{title} ({pick(rng, ('ref', 'Band', 'Grade', 'Level'))} {int(rng.random() * 90) + 2})"
        if roll > 0.84:
            return f"{title}, {pick(rng, occupation.places)}"
        return title.upper() if roll > 0.82 else title

    def _company(self, rng: Random, occupation: Occupation) -> str:
        parts = self.lexicon.company_parts
        kind = COMPANY_KIND[occupation.sector] if rng.random() < 0.6 else "tail"
        return f"{pick(rng, parts['head'])} {pick(rng, parts[kind])}"

    def _salary(self, rng: Random, country: str) -> str:
        template = pick(rng, self.lexicon.prose["salary_us" if country == "US" else "salary_gb"])
        low = 18 + int(rng.random() * 60)
        numbers = {
            "a": low,
            "b": low + 4 + int(rng.random() * 20),
            "h": 9 + low // 4,
            "n": low // 9,
            "z": 100 + low,
        }
        return template.format(**numbers)

    def _sections(
        self, rng: Random, facts: Facts, size: float, words: dict[str, str], refused: Sequence[str]
    ) -> Sections:
        prose = self.lexicon.prose
        generic = 1 + int(size * 8)

        def say(kind: str, count: int) -> list[Piece]:
            lines = prose[kind]
            chosen = rng.sample(lines, min(count, len(lines)))
            return [Piece(text=line.format(**words) if "{" in line else line) for line in chosen]

        duties = [Piece(text=duty, span=duty) for duty in _some(rng, facts.occupation.duties, 0.5 + size)]
        duties += say("duties_generic", int(size * 18 * rng.random()))
        want = say("want", int(rng.random() * 2) + generic)
        skills = self._skill_pieces(rng, facts, refused) + self._qualification(rng, facts.occupation)
        rng.shuffle(skills)
        terms = [self._facet_piece(rng, self._facets[key]) for key in facts.facets]
        terms += [
            Piece(text=pick(rng, self._facets[key].denials), evidence=(f"deny:{key}",), span="")
            for key in facts.denied
            if key in self._facets
        ]
        rng.shuffle(terms)
        return Sections(
            intro=say("intro", 1 + int(rng.random() * (1 + 2 * size))),
            about=say("about", int(rng.random() * (1 + 14 * size))),
            duties=duties,
            want=want + skills,
            terms=terms,
            offer=say("benefit_generic", int(rng.random() * (1 + 8 * size))),
            legal=say("eeo", int(rng.random() * (1 + 6 * size))),
            apply=say("apply", int(rng.random() * (1 + 8 * size))),
        )

    def _facet_piece(self, rng: Random, facet: Facet) -> Piece:
        phrase = pick(rng, facet.texts)
        return Piece(text=phrase.text, span=phrase.span, evidence=(f"facet:{facet.key}",))

    def _skill_pieces(self, rng: Random, facts: Facts, refused: Sequence[str]) -> list[Piece]:
        prose, pieces = self.lexicon.prose, []
        names = list(facts.skills)
        while names:
            name = names.pop()
            if names and rng.random() < 0.3:
                other = names.pop()
                text = pick(rng, prose["skill_pair"]).format(s=name, r=other)
                start, end = text.find(name), text.find(other) + len(other)
                pieces.append(
                    Piece(text=text, span=text[start:end], evidence=(f"skill:{name}", f"skill:{other}"))
                )
                continue
            kind = "skill_good" if rng.random() < 0.75 else "skill_nice"
            text = _capital(pick(rng, prose[kind]).format(s=name))
            pieces.append(
                Piece(
                    text=text,
                    span=_capital(name) if text.startswith(_capital(name)) else name,
                    evidence=(f"skill:{name}",),
                )
            )
        for name in refused:
            text = _capital(pick(rng, prose["skill_not"]).format(s=name))
            pieces.append(Piece(text=text, evidence=(f"deny:{name}",)))
        return pieces

    def _qualification(self, rng: Random, occupation: Occupation) -> list[Piece]:
        if not occupation.qualifications or rng.random() < 0.3:
            return []
        name = pick(rng, occupation.qualifications)
        text = _capital(pick(rng, self.lexicon.prose["qual_lead"]).format(q=name))
        return [Piece(text=text, span=_capital(name) if text.startswith(_capital(name)) else name)]


def pick(rng: Random, values: Sequence[T]) -> T:
    """One of the values; a good deal faster than `Random.choice`."""
    return values[int(rng.random() * len(values))]


def _some(rng: Random, values: Sequence[T], share: float) -> list[T]:
    return rng.sample(values, max(1, min(len(values), round(share * len(values)))))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _metadata(rng: Random, names: dict[str, str], facets: Sequence[str]) -> str | None:
    """The value of a metadata field: the true value (75%), None (18%) or a random one (7%)."""
    roll = rng.random()
    if roll < 0.07:
        return pick(rng, tuple(names.values()))
    if roll < 0.25:
        return None
    return next((names[key] for key in facets if key in names), None)
