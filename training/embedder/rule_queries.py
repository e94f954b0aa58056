"""Queries of the rules over a domain's training postings: each pair of a batch has the rules' grade.

So a posting that answers the query of another is no negative of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np

from training.embedder.queries import CANDIDATES, Asked, framed
from training.embedder.sources import DomainSource
from training.judging.policy import MATCHING, load_policy
from training.rules.queries import asks
from training.rules.teacher import Needs, grades_of
from training.rules.wordings import NEGATIONS, negates
from training.synthetic.facts import SOFT_LABELS

NEGATED = 0.06
"""Share of the queries with facets that ask for an occupation without one."""


class RuleAsker:
    """Queries of the rules' training wordings over a domain's postings."""

    def __init__(self, source: DomainSource, seed: int) -> None:
        self._corpus = source.corpus
        self._asks = asks(source.corpus, seed)
        self._aggregate = load_policy(MATCHING).aggregate
        phrases = source.corpus.words.training_phrases()
        self._phrases = {key: [p for p in said if not negates(p)] for key, said in phrases.items()}
        self._wordings = source.corpus.words.training_wordings()

    def batch(self, rng: Random, queries: int) -> Asked:
        """Draw queries with candidates that meet all, some or none of what they ask for."""
        drawn = [self._draw(rng) for _ in range(queries)]
        chosen = [row for _, needs, source in drawn for row in self._candidates(rng, needs, source)]
        postings = tuple(dict.fromkeys(chosen))
        labels = [[self._label(needs, row) for row in postings] for _, needs, _ in drawn]
        texts = tuple(framed(rng, text) for text, _, _ in drawn)
        return Asked(queries=texts, postings=postings, labels_QP=np.array(labels, dtype=np.float32))

    def _draw(self, rng: Random) -> tuple[str, Needs, int]:
        drawn = next(self._asks)
        needs = drawn.needs
        if needs.facets and self._phrases.get(needs.facets[0]) and rng.random() < NEGATED:
            return self._without(rng, needs, drawn.source)
        return drawn.ask.query, needs, drawn.source

    def _without(self, rng: Random, needs: Needs, source: int) -> tuple[str, Needs, int]:
        """A query for the occupation without its first facet, which whoever states it does not answer."""
        facet = needs.facets[0]
        wording = rng.choice(self._wordings[needs.occupation])
        said = rng.choice(NEGATIONS).format(f=rng.choice(self._phrases[facet]))
        asked = Needs(occupation=needs.occupation, wording=wording, without=facet)
        return f"{wording}{rng.choice((' ', ', '))}{said}", asked, source

    def _candidates(self, rng: Random, needs: Needs, source: int) -> list[int]:
        """The posting asked about, others of its occupation, most of which miss something, near ones, strangers."""
        of_occupation = self._corpus.of_occupation
        same = [row for row in _some(rng, of_occupation[needs.occupation], 40) if row != source]
        good = [row for row in same if self._label(needs, row) >= SOFT_LABELS[3]][:1]
        chosen = [source, *good, *[row for row in same if row not in good][:3]]
        words = self._corpus.words.occupations
        close = [key for key in sorted(words[needs.occupation].close) if key in of_occupation]
        asked = words[needs.occupation].field
        field = [key for key in of_occupation if words[key].field == asked and key != needs.occupation]
        for keys in (close, field):
            chosen += [rng.choice(of_occupation[rng.choice(keys)])] if keys else []
        return chosen + [rng.randrange(len(self._corpus.postings)) for _ in range(CANDIDATES - len(chosen))]

    def _label(self, needs: Needs, row: int) -> float:
        corpus = self._corpus
        grades = grades_of(needs, corpus.postings[row], corpus.found[row], corpus.words)
        return float("nan") if grades is None else SOFT_LABELS[self._aggregate(grades)]


def _some(rng: Random, rows: Sequence[int], count: int) -> list[int]:
    return rng.sample(rows, min(count, len(rows)))
