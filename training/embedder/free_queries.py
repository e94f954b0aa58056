"""Queries in wordings of public lists and of the summaries, graded by the parts of MiniLM's space and by the ranker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import numpy as np

from training.components.arrays import Singles
from training.embedder.queries import CANDIDATES, Asked, framed
from training.embedder.sources import DomainSource
from training.rules.wordings import negates
from training.tiny.ranker import likeness
from training.tiny.ranker.clause_index import Wording, WordingBank
from training.tiny.ranker.domain_pool import barred
from training.tiny.ranker.excerpts import excerpt

RANKER = 0.5
"""Weight of the ranker's p_yes in the label of a pair that it scored."""
WITH_NEED, ALONE = 0.6, 0.15
"""Shares of free queries with a requirement, and of those without an occupation."""
FROM_BANK = 0.75
SKILL = 0.4
"""Shares of wordings from the banks; the others are the posting's own title, or an excerpt of its summary."""
Score = Callable[[Sequence[str], Sequence[Sequence[int]]], list[Singles]]
"""Queries, and the numbers of the postings scored for each, to the ranker's p_yes."""


class FreeAsker:
    """Queries in wordings of public lists and of the summaries, graded by MiniLM's vectors and by the ranker."""

    def __init__(
        self,
        source: DomainSource,
        banks: tuple[WordingBank, WordingBank],
        encode: Callable[[Sequence[str]], Singles],
        score: Score,
    ) -> None:
        self._source, self._encode, self._score = source, encode, score
        self._titles, self._skills = banks
        self._barred = barred(source.corpus.words)
        self._affirms = np.array([not negates(text) for text in source.phrases], dtype=np.float32)

    def batch(self, rng: Random, queries: int) -> Asked:
        """Draw queries about a posting each, with candidates near in title, in requirements, in both or in neither."""
        drawn = [self._draw(rng, rng.randrange(len(self._source.items))) for _ in range(queries)]
        labels_QN = [labels for _, labels in drawn]
        chosen = [self._candidates(rng, labels) for labels in labels_QN]
        postings = tuple(dict.fromkeys(row for rows in chosen for row in rows))
        found = np.array([labels[list(postings)] for labels in labels_QN], dtype=np.float32)
        texts = [text for text, _ in drawn]
        place = {row: at for at, row in enumerate(postings)}
        for query, (rows, scores) in enumerate(zip(chosen, self._score(texts, chosen), strict=True)):
            at = [place[row] for row in rows]
            found[query, at] = RANKER * scores + (1 - RANKER) * found[query, at]
        return Asked(queries=tuple(framed(rng, text) for text in texts), postings=postings, labels_QP=found)

    def _draw(self, rng: Random, row: int) -> tuple[str, Singles]:
        """A query about a posting, and the soft labels [N] of all postings."""
        source = self._source
        need = self._need(rng, row) if rng.random() < WITH_NEED else None
        named = None if need and rng.random() < ALONE else self._named(rng, row)
        labels: Singles = np.full(len(source.items), likeness.ALL, np.float32)
        if named:
            labels = likeness.title_labels(source.titles @ named.vector)
        if need:
            labels = likeness.labels(labels, self._met(need))
        parts = [part.text for part in (named, need) if part]
        if rng.random() < 0.3:
            parts.reverse()
        text = rng.choice((" ", " ", ", ", " with ", " and ", " - ")).join(parts)
        return text.lower() if rng.random() < 0.6 else text, labels

    def _met(self, need: Wording) -> Singles:
        """The probability [N] that a posting's summary or title states a requirement."""
        source = self._source
        stated = likeness.stated(source.phrase_vectors @ need.vector) * self._affirms
        met: Singles = np.maximum(source.highest(stated), likeness.stated(source.titles @ need.vector))
        return met

    def _named(self, rng: Random, row: int) -> Wording:
        vector = self._source.titles[row]
        near = [w for w in self._titles.near(vector, 8, 0.6) if w.text.lower() not in self._barred]
        if near and rng.random() < FROM_BANK:
            return rng.choice(near)
        return self._wording(self._source.items[row].title)

    def _need(self, rng: Random, row: int) -> Wording | None:
        number = rng.choice(self._source.phrases_of(row))
        phrase = self._source.phrases[number]
        if negates(phrase):
            return None
        if rng.random() < SKILL:
            near = self._skills.near(self._source.phrase_vectors[number], 5, 0.45)
            near = [w for w in near if w.text.lower() not in self._barred]
            if near:
                return rng.choice(near)
        text = excerpt(rng, phrase)
        return self._wording(text) if text and text.lower() not in self._barred else None

    def _wording(self, text: str) -> Wording:
        return Wording(text=text, vector=self._encode([text])[0])

    def _candidates(self, rng: Random, labels_N: Singles) -> list[int]:
        """Some of the best, some of those that come next, and strangers."""
        best = np.argsort(-labels_N)[:40].tolist()
        chosen = dict.fromkeys([*rng.sample(best[:8], 3), *rng.sample(best[8:], 3)])
        while len(chosen) < CANDIDATES:
            chosen[rng.randrange(len(labels_N))] = None
        return list(chosen)
