"""Queries of the rule teacher over real postings: an occupation, facets and a place in a searcher's words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from random import Random

from training.judged import PostingRow
from training.ranker_data import CANDIDATES, Encoder
from training.real_pool import Asked, Source
from training.real_sources import Evidence as Spans
from training.rules import evidence as rules
from training.rules.evidence import Evidence
from training.rules.lexicon import Facet, Lexicon, held_out
from training.rules.teacher import Needs, constraints_grade, occupation_grade, place_met, requirements_grade

SHAPES = ("{t} {n}", "{n} {t}", "{t}, {n}", "{t} with {n}", "{t} - {n}", "{n}, {t}", "{t} ({n})", "looking for {t} {n}")
PLACED = ("{x} in {p}", "{x} {p}", "{p} {x}", "{x} near {p}", "{x}, {p}")
COUNTS, WEIGHTS = (0, 1, 2, 3), (25, 40, 28, 7)
PLACE = 0.12
MOST_MENTIONS = 4


def spans(posting: PostingRow, found: Evidence, words: Lexicon) -> Spans:
    """Where a posting's text states and denies what the rules found, and what its other fields do."""
    item = posting.item
    lower = item.text.lower()
    fields = f"{item.title}\nemployment: {item.employment_type}\nworkplace: {item.remote}"
    marks: list[tuple[int, int, str]] = []
    known: set[str] = set()
    for key in found.stated:
        facet = words.facets[key]
        if rules.facet_in(facet, fields, fields.lower())[0] > 0:
            known.add(f"facet:{key}")
        marks += [(a, b, f"facet:{key}") for a, b in _statements(facet, item.text, lower)]
    for key in found.denied:
        marks += [(a, b, f"deny:{key}") for a, b in _denials(key, item.text, lower, words)]
    return Spans(spans=tuple(marks), known=frozenset(known), occupation=(*found.occupations, "")[0], place=found.place)


def _statements(facet: Facet, text: str, lower: str) -> Iterable[tuple[int, int]]:
    matches = [*facet.stated.finditer(lower), *(facet.cased.finditer(text) if facet.cased else ())]
    return [m.span() for m in matches if not rules._negated(lower, m)][:MOST_MENTIONS]


def _denials(key: str, text: str, lower: str, words: Lexicon) -> Iterable[tuple[int, int]]:
    facet = words.facets[key]
    if facet.denied and (match := facet.denied.search(lower)):
        return [match.span()]
    own = [m.span() for m in facet.stated.finditer(lower)]
    others = [s for other in facet.opposed_by for s in _statements(words.facets[other], text, lower)]
    return (own or others)[:MOST_MENTIONS]


class FacetAsker:
    """Draws queries about the postings of one domain, in wordings that training may use."""

    def __init__(
        self, rng: Random, encoder: Encoder, words: Lexicon, postings: Sequence[tuple[PostingRow, Evidence, Source]]
    ) -> None:
        self._rng, self._encoder, self._words = rng, encoder, words
        kept = [one for one in postings if one[1].occupations]
        self._all = [source for _, _, source in kept]
        self._found = {id(source): (posting, found) for posting, found, source in kept}
        apart = words.test_only()
        self._wordings = {
            key: [w for w in o.wordings if w not in held_out(o.wordings)]
            for key, o in words.occupations.items()
            if key not in apart
        }
        self._phrases = {key: [p for p in f.phrases if p not in held_out(f.phrases)] for key, f in words.facets.items()}
        self._by_occupation: dict[str, list[Source]] = {}
        for _, found, source in kept:
            for key in found.occupations:
                self._by_occupation.setdefault(key, []).append(source)
        self._asked = [key for key in self._wordings if len(self._by_occupation.get(key, ())) >= CANDIDATES]
        self._frequency = [len(self._by_occupation[key]) ** 0.5 for key in self._asked]

    def __call__(self) -> Asked:
        """One query asked of a posting, with that posting among its candidates."""
        rng = self._rng
        key = rng.choices(self._asked, self._frequency)[0]
        source = rng.choice(self._by_occupation[key])
        found = self._found[id(source)][1]
        facets = self._facets(found)
        place = found.place if found.place and rng.random() < PLACE else None
        needs = Needs(occupation=key, facets=tuple(facets), place=place)
        candidates = self._candidates(key, source, facets)
        return Asked(
            prefix=self._encoder.prompter.prefix_ids(self._text(needs)),
            candidates=tuple(candidates),
            tags=frozenset(f"{kind}:{facet}" for facet in facets for kind in ("facet", "deny")),
            extra=((),) * len(candidates),
            grade=lambda item, seen: self._grade(needs, item, seen),
        )

    def _facets(self, found: Evidence) -> list[str]:
        """Mostly what the posting states; every tenth from anywhere."""
        rng = self._rng
        count = rng.choices(COUNTS, WEIGHTS)[0]
        stated = sorted(found.stated)
        chosen = rng.sample(stated, min(count, len(stated)))
        if chosen and rng.random() < 0.15:
            chosen[-1] = rng.choice(sorted(self._phrases))
        return list(dict.fromkeys(chosen))

    def _candidates(self, key: str, source: Source, facets: Sequence[str]) -> list[Source]:
        """The source, one more that states all, three of the occupation that do not, a close one, others."""
        rng = self._rng
        same = rng.sample(self._by_occupation[key], min(60, len(self._by_occupation[key])))
        same = [s for s in same if s is not source]
        if facets:
            full = [s for s in same if all(f in self._found[id(s)][1].stated for f in facets)]
            rest = [s for s in same if s not in full]
            denied = [s for s in rest if any(f in self._found[id(s)][1].denied for f in facets)]
            chosen = [source, *full[:1], *denied[:1], *[s for s in rest if s not in denied[:1]][:2]]
        else:
            chosen = [source, *same[:2]]
        close = [c for c in self._words.occupations[key].close if c in self._by_occupation]
        chosen += [rng.choice(self._by_occupation[rng.choice(sorted(close))]) for _ in range(1 if close else 0)]
        return chosen + rng.sample(self._all, CANDIDATES - len(chosen))

    def _text(self, needs: Needs) -> str:
        rng = self._rng
        named = rng.choice(self._wordings[needs.occupation])
        asked = [rng.choice(self._phrases[key]) for key in needs.facets]
        joined = rng.choice((" ", ", ", " and ", " ")).join(asked)
        text = rng.choice(SHAPES).format(t=named, n=joined) if joined else named
        if needs.place:
            text = rng.choice(PLACED).format(x=text, p=needs.place.title())
        return text if rng.random() < 0.35 else text.lower()

    def _grade(self, needs: Needs, item: Source, seen: Collection[str]) -> int:
        posting, found = self._found[id(item)]
        occupation = occupation_grade(needs.occupation, found, self._words) or 0
        if not occupation:
            return 0
        read = Evidence(
            stated={key: "" for key in needs.facets if f"facet:{key}" in seen},
            denied={key: "" for key in needs.facets if f"deny:{key}" in seen},
            occupations=found.occupations,
            head=found.head,
            place=found.place,
        )
        return min(
            occupation,
            requirements_grade(needs.facets, read, self._words),
            constraints_grade(needs.facets, read, self._words, place_met=place_met(needs.place, posting, found) is not False),
        )
