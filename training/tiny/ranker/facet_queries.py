"""Queries drawn by the rules over real postings: an occupation, facets and a place in a searcher's words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from random import Random

from training.judging.postings import PostingRow
from training.judging.words import search_words
from training.rules import evidence as rules
from training.rules.corpus import Corpus
from training.rules.evidence import Evidence
from training.rules.lexicon.entries import RuleFacet, RuleLexicon
from training.rules.queries import asks
from training.rules.teacher import (
    Needs,
    asked_grade,
    constraints_grade,
    place_met,
    requirements_grade,
    without_grade,
)
from training.rules.wordings import NEGATIONS, negates
from training.synthetic.facts import SOFT_LABELS
from training.tiny.encoding import Encoder
from training.tiny.ranker.examples import CANDIDATES
from training.tiny.ranker.marked_postings import StatedSpans
from training.tiny.ranker.real_pool import AskedQuery, MarkedPosting

MOST_MENTIONS = 4
OF_FIELD = 1
"""Candidates of other occupations of the field, for a query that asks for an occupation alone."""
RELATED = 2
"""Grade of an occupation from which on the work is related."""
TRIED = 12
"""Postings that are looked at for a lookalike."""


def stated_spans(posting: PostingRow, found: Evidence, words: RuleLexicon) -> StatedSpans:
    """Where a posting's text states or denies the facets that the rules found, and which its other fields state."""
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
    return StatedSpans(
        spans=tuple(marks), known=frozenset(known), occupation=(*found.occupations, "")[0], place=found.place
    )


def _statements(facet: RuleFacet, text: str, lower: str) -> Iterable[tuple[int, int]]:
    matches = [*facet.stated.finditer(lower), *(facet.cased.finditer(text) if facet.cased else ())]
    return [m.span() for m in matches if not rules.negated(lower, m)][:MOST_MENTIONS]


def _denials(key: str, text: str, lower: str, words: RuleLexicon) -> Iterable[tuple[int, int]]:
    facet = words.facets[key]
    if facet.denied and (match := facet.denied.search(lower)):
        return [match.span()]
    own = [m.span() for m in facet.stated.finditer(lower)]
    others = [s for other in facet.opposed_by for s in _statements(words.facets[other], text, lower)]
    return (own or others)[:MOST_MENTIONS]


def _by_word(corpus: Corpus, sources: Sequence[MarkedPosting]) -> dict[str, list[MarkedPosting]]:
    """The postings by the words of their titles."""
    found: dict[str, list[MarkedPosting]] = {}
    for posting, source in zip(corpus.postings, sources, strict=True):
        for word in set(search_words(posting.item.title)):
            found.setdefault(word, []).append(source)
    return found


def _by_facet(corpus: Corpus, sources: Sequence[MarkedPosting]) -> dict[str, list[MarkedPosting]]:
    """The postings by the facets that they state."""
    found: dict[str, list[MarkedPosting]] = {}
    for evidence, source in zip(corpus.found, sources, strict=True):
        for facet in evidence.stated:
            found.setdefault(facet, []).append(source)
    return found


class FacetAsker:
    """Draws queries over the training split, with candidates that state all, some or none of the facets asked for."""

    def __init__(
        self,
        rng: Random,
        encoder: Encoder,
        corpus: Corpus,
        sources: Sequence[MarkedPosting],
        negated: float = 0.0,
    ) -> None:
        """`sources` are the corpus's postings as ids, in the corpus's order; `negated`: share of negated queries."""
        self._rng, self._encoder, self._words = rng, encoder, corpus.words
        self._sources, self._negated = sources, negated
        self._wordings = corpus.words.training_wordings()
        phrases = corpus.words.training_phrases()
        self._phrases = {key: [p for p in said if not negates(p)] for key, said in phrases.items()}
        self._asks = asks(corpus, rng.randrange(1 << 30))
        rows = zip(corpus.postings, corpus.found, sources, strict=True)
        self._found = {id(source): (posting, found) for posting, found, source in rows}
        self._all = [s for s, found in zip(sources, corpus.found, strict=True) if found.occupations]
        self._by_occupation = {key: [sources[i] for i in rows] for key, rows in corpus.of_occupation.items()}
        self._by_word, self._by_facet = _by_word(corpus, sources), _by_facet(corpus, sources)

    def __call__(self) -> AskedQuery:
        """Draw one query about a posting, which is among the candidates."""
        drawn = next(self._asks)
        needs = drawn.needs
        if needs.facets and self._phrases.get(needs.facets[0]) and self._rng.random() < self._negated:
            return self._without(needs, self._sources[drawn.source])
        candidates = self._candidates(needs, self._sources[drawn.source], needs.facets)
        return AskedQuery(
            prefix=self._encoder.prompter.prefix_ids(drawn.ask.query),
            candidates=tuple(candidates),
            tags=frozenset(f"{kind}:{facet}" for facet in needs.facets for kind in ("facet", "deny")),
            extra=((),) * len(candidates),
            target=lambda item, seen: SOFT_LABELS[self._grade(needs, item, seen)],
        )

    def _without(self, needs: Needs, source: MarkedPosting) -> AskedQuery:
        """A query for the occupation without its first facet: whoever states that has grade 1 or less."""
        rng, facet = self._rng, needs.facets[0]
        wording = rng.choice(self._wordings[needs.occupation])
        said = rng.choice(NEGATIONS).format(f=rng.choice(self._phrases[facet]))
        asked = Needs(occupation=needs.occupation, wording=wording, without=facet)
        candidates = tuple(self._candidates(asked, source, (facet,)))
        return AskedQuery(
            prefix=self._encoder.prompter.prefix_ids(f"{wording}{rng.choice((' ', ', '))}{said}"),
            candidates=candidates,
            tags=frozenset((f"facet:{facet}", f"deny:{facet}")),
            extra=((),) * len(candidates),
            target=lambda item, seen: SOFT_LABELS[self._grade_without(asked, item, seen)],
        )

    def _grade_without(self, needs: Needs, item: MarkedPosting, seen: Collection[str]) -> int:
        grade = asked_grade(needs, *self._found[id(item)], self._words) or 0
        facet = needs.without
        if facet is None:
            return grade
        stated, denied = ([facet] if f"{kind}:{facet}" in seen else [] for kind in ("facet", "deny"))
        return min(grade, without_grade(facet, stated, denied))

    def _candidates(self, needs: Needs, source: MarkedPosting, facets: Sequence[str]) -> list[MarkedPosting]:
        """The posting asked about, another that states all facets, three of its occupation that do not, and others."""
        rng, key = self._rng, needs.occupation
        same = rng.sample(self._by_occupation[key], min(60, len(self._by_occupation[key])))
        same = [s for s in same if s is not source]
        if facets:
            full = [s for s in same if all(f in self._found[id(s)][1].stated for f in facets)]
            rest = [s for s in same if s not in full]
            denied = [s for s in rest if any(f in self._found[id(s)][1].denied for f in facets)]
            chosen = [source, *full[:1], *denied[:1], *[s for s in rest if s not in denied[:1]][:2]]
        else:
            chosen = [source, *same[:2], *self._of_field(key)]
        close = [c for c in self._words.occupations[key].close if c in self._by_occupation]
        chosen += [
            rng.choice(self._by_occupation[rng.choice(sorted(close))]) for _ in range(1 if close else 0)
        ]
        chosen += [one for one in self._lookalikes(needs, facets) if one not in chosen]
        return chosen + rng.sample(self._all, CANDIDATES - len(chosen))

    def _lookalikes(self, needs: Needs, facets: Sequence[str]) -> list[MarkedPosting]:
        """Up to two postings of other work with a word of the query in their titles, or a facet that is asked for.

        Without them a ranker learns that a word in common is enough: no candidate drawn otherwise shows that it is not.
        """
        words = dict.fromkeys(search_words(needs.wording))  # a set's order would differ from run to run
        titled = [one for word in words for one in self._by_word.get(word, ())]
        stating = self._by_facet.get(self._rng.choice(facets), ()) if facets else titled
        found = [self._other_work(needs, drawn) for drawn in (titled, stating)]
        return list(dict.fromkeys(one for one in found if one is not None))

    def _other_work(self, needs: Needs, drawn: Sequence[MarkedPosting]) -> MarkedPosting | None:
        """One of the postings that is surely of another occupation; None if a few tries find none."""
        for one in self._rng.sample(drawn, min(TRIED, len(drawn))):
            grade = asked_grade(needs, *self._found[id(one)], self._words)
            if grade is not None and grade < RELATED:
                return one
        return None

    def _of_field(self, key: str) -> list[MarkedPosting]:
        words = self._words.occupations
        near = [k for k in self._by_occupation if words[k].field == words[key].field and k != key]
        return [
            self._rng.choice(self._by_occupation[self._rng.choice(near)])
            for _ in range(OF_FIELD if near else 0)
        ]

    def _grade(self, needs: Needs, item: MarkedPosting, seen: Collection[str]) -> int:
        posting, found = self._found[id(item)]
        occupation = asked_grade(needs, posting, found, self._words) or 0
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
            constraints_grade(
                needs.facets, read, self._words, place_met=place_met(needs.place, posting, found) is not False
            ),
        )
