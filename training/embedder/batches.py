"""Batches of the embedder's training: queries and postings with labels, and MiniLM's vectors of some of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from models.prompts import Item, embedder_input
from training.components.arrays import Ints, Singles
from training.embedder.free_queries import FreeAsker, Score
from training.embedder.model import Space
from training.embedder.queries import Asked, Labels, framed
from training.embedder.rule_queries import RuleAsker
from training.embedder.sources import DomainSource, view
from training.synthetic.facts import SOFT_LABELS
from training.tiny.ranker.clause_index import WordingBank
from training.tiny.ranker.title_pool import Titles

RULES, FREE, TITLES = 0.55, 0.25, 0.20
"""Shares of steps by what their queries are."""
TITLE_QUERIES = 4
"""A step on titles has so many times the queries of one on postings, because titles are short."""
SHORT = 24
"""Wordings, titles and phrases of a step that only MiniLM teaches."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Texts of queries [Q] and postings [P], labels [Q, P], and MiniLM's vectors `taught` of the texts `rows`.

    Rows count queries first, then postings.
    """

    queries: tuple[str, ...]
    postings: tuple[str, ...]
    labels_QP: Labels
    rows: Ints
    taught: Singles


class Drawer:
    """Draws batches, each from one domain or from titles."""

    def __init__(
        self,
        sources: Sequence[DomainSource],
        banks: tuple[WordingBank, WordingBank],
        titles: Sequence[Titles],
        space: Space,
        encode: Callable[[Sequence[str]], Singles],
        score: Callable[[DomainSource], Score],
        queries: int,
        seed: int,
    ) -> None:
        self._sources, self._banks, self._space, self._queries = sources, banks, space, queries
        self._encode = encode
        self._titles, self._asked = titles, [i for i, one in enumerate(titles) if len(one.titles) >= 2]
        self._rules = [RuleAsker(source, seed) for source in sources]
        self._free = [FreeAsker(source, banks, encode, score(source)) for source in sources]

    def __call__(self, rng: Random) -> Batch:
        """Draw one batch."""
        (kind,) = rng.choices(("rules", "free", "titles"), (RULES, FREE, TITLES))
        if kind == "titles":
            return self._title_batch(rng)
        number = rng.randrange(len(self._sources))
        asker = (self._rules if kind == "rules" else self._free)[number]
        return self._batch(rng, self._sources[number], asker.batch(rng, self._queries))

    def _batch(self, rng: Random, source: DomainSource, asked: Asked) -> Batch:
        """A batch over a domain's postings, with some wordings and phrases as queries that nothing answers."""
        views = [view(rng, source, row) for row in asked.postings]
        extra, extra_vectors = self._short(rng, source)
        count = len(asked.queries)
        known = [at for at, (_, same) in enumerate(views) if same]
        labels = np.full((count + len(extra), len(views)), np.nan, dtype=np.float32)
        labels[:count] = asked.labels_QP
        taught = np.concatenate(
            [self._encode(asked.queries), extra_vectors, source.vectors([asked.postings[at] for at in known])]
        )
        rows = [*range(len(labels)), *(len(labels) + at for at in known)]
        return Batch(
            queries=(*asked.queries, *extra),
            postings=tuple(text for text, _ in views),
            labels_QP=labels,
            rows=np.array(rows, dtype=np.int64),
            taught=self._space.of(taught),
        )

    def _short(self, rng: Random, source: DomainSource) -> tuple[list[str], Singles]:
        titles, skills = self._banks
        third = SHORT // 3
        rows = [rng.randrange(len(source.phrases)) for _ in range(third)]
        texts = [source.phrases[row] for row in rows]
        vectors = [source.phrase_vectors[rows]]
        for bank in (titles, skills):
            if bank.texts:
                rows = [rng.randrange(len(bank.texts)) for _ in range(third)]
                texts += [bank.texts[row] for row in rows]
                vectors.append(bank.vectors[rows])
        return texts, np.concatenate(vectors)

    def _title_batch(self, rng: Random) -> Batch:
        """Titles of O*NET and ESCO: one asks, another of the same occupation answers, and a related one by half."""
        rows = rng.sample(self._asked, min(TITLE_QUERIES * self._queries, len(self._asked)))
        pairs = [rng.sample(self._titles[row].titles, 2) for row in rows]
        near = [other for row in rows for other in self._near(rng, row)]
        answers = [answer for _, answer in pairs] + [rng.choice(self._titles[row].titles) for row in near]
        labels = [[self._title_label(row, owner) for owner in (*rows, *near)] for row in rows]
        texts = tuple(framed(rng, asked if rng.random() < 0.5 else asked.lower()) for asked, _ in pairs)
        return Batch(
            queries=texts,
            postings=tuple(embedder_input(_titled(answer)) for answer in answers),
            labels_QP=np.array(labels, dtype=np.float32),
            rows=np.arange(len(texts)),
            taught=self._space.of(self._encode(texts)),
        )

    def _near(self, rng: Random, row: int) -> list[int]:
        near = [other for other in self._titles[row].related if other != row and self._titles[other].titles]
        return [rng.choice(near)] if near else []

    def _title_label(self, row: int, owner: int) -> float:
        if owner == row:
            return SOFT_LABELS[4]
        return SOFT_LABELS[2 if owner in self._titles[row].related else 0]


def _titled(title: str) -> Item:
    return Item(title=title, company=None, location=None, employment_type=None, remote=None, text="")
