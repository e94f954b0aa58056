"""Judged pools of a query: postings that retrievers find, hard negatives of its occupation, and random ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

import numpy as np
from typing_extensions import override

from training.components.arrays import Reals, Singles
from training.judging.pools import PoolSizes, index_of
from training.judging.records import TeacherVerdict
from training.judging.words import search_words
from training.rules.corpus import Corpus
from training.rules.queries import Drawn
from training.rules.teacher import Aggregate, RuleTeacher

Dense = Callable[[str], Singles]
GOOD = 3
"""The lowest label of a good match."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePoolSizes(PoolSizes):
    """How many postings of a judged pool come from where.

    Beside what `PoolSizes` names: MiniLM's nearest (`by_dense`), of the query's occupation with a label of GOOD or more
    (`met`) and below (`same`), and of closely related occupations (`close`).
    """

    by_title: int = 4
    by_text: int = 5
    random: int = 5
    by_dense: int = 4
    met: int = 2
    same: int = 10
    close: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedCandidate:
    """A posting of a pool, by its position in the corpus, with the teacher's verdict and its label 0-4."""

    position: int
    verdict: TeacherVerdict
    label: int


class Pools(Protocol):
    """Draws the judged pool of a query."""

    def pool(self, drawn: Drawn, rng: Random) -> list[JudgedCandidate] | None:
        """A query's judged candidates in random order; None for a query that is left out."""
        ...


class JudgedPools(Pools):
    """Draws pools from one split's postings and judges them; a posting that stays unjudged is left out."""

    def __init__(
        self,
        corpus: Corpus,
        teacher: RuleTeacher,
        aggregate: Aggregate,
        config: RulePoolSizes | None = None,
        dense: Dense | None = None,
    ) -> None:
        self._corpus, self._teacher, self._aggregate = corpus, teacher, aggregate
        self._config, self._dense = config or RulePoolSizes(), dense
        items = [posting.item for posting in corpus.postings]
        self._by_title = index_of(f"{i.title} {i.location} {i.employment_type} {i.remote}" for i in items)
        self._by_text = index_of(f"{i.title} {i.location} {i.company} {i.text}" for i in items)

    @override
    def pool(self, drawn: Drawn, rng: Random) -> list[JudgedCandidate] | None:
        """A query's judged candidates in random order; None unless some but not all of them are good matches."""
        config, query, words = self._config, drawn.ask.query, search_words(drawn.ask.query)
        taken: dict[int, JudgedCandidate] = {}
        self._take(drawn, taken, [drawn.source], 1)
        self._take(drawn, taken, _top(self._by_title.scores(words), 3 * config.by_title), config.by_title)
        self._take(drawn, taken, _top(self._by_text.scores(words), 3 * config.by_text), config.by_text)
        if self._dense:
            self._take(drawn, taken, _top(self._dense(query), 3 * config.by_dense), config.by_dense)
        same = _some(rng, self._corpus.of_occupation[drawn.needs.occupation], 60)
        self._take(drawn, taken, same, config.met, lambda label: label >= GOOD)
        self._take(drawn, taken, same, config.same, lambda label: label < GOOD)
        near = [i for key in sorted(self._near(drawn)) for i in self._corpus.of_occupation.get(key, ())]
        self._take(drawn, taken, _some(rng, near, 3 * config.close), config.close)
        self._take(
            drawn, taken, _some(rng, range(len(self._corpus.postings)), 3 * config.random), config.random
        )
        out = list(taken.values())
        rng.shuffle(out)
        good = sum(candidate.label >= GOOD for candidate in out)
        return out if 0 < good < len(out) else None

    def _near(self, drawn: Drawn) -> frozenset[str]:
        return self._corpus.words.occupations[drawn.needs.occupation].close

    def _take(
        self,
        drawn: Drawn,
        taken: dict[int, JudgedCandidate],
        positions: Sequence[int],
        count: int,
        fits: Callable[[int], bool] = lambda _: True,
    ) -> None:
        """Judge these positions in order and add up to `count` whose labels fit."""
        for position in positions:
            if count <= 0:
                return
            if position in taken:
                continue
            verdict = self._teacher.judge(drawn.needs, self._corpus.postings[position])
            if verdict and fits(label := self._aggregate(verdict.grades)):
                taken[position] = JudgedCandidate(position=position, verdict=verdict, label=label)
                count -= 1


def _top(scores_N: Reals, count: int) -> list[int]:
    """Positions of the `count` highest scores, best first, without those that are not above 0."""
    count = min(count, len(scores_N))
    best = np.argpartition(-scores_N, count - 1)[:count]
    return [int(i) for i in best[np.argsort(-scores_N[best], kind="stable")] if scores_N[i] > 0]


def _some(rng: Random, positions: Sequence[int], count: int) -> list[int]:
    return rng.sample(positions, min(count, len(positions)))
