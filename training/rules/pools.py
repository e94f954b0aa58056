"""Candidates of a query: what retrievers find, hard negatives of the same occupation, and strangers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

from training.judged import Verdict
from training.rules.corpus import Corpus
from training.rules.queries import Drawn
from training.rules.teacher import Aggregate, RuleTeacher

Floats = npt.NDArray[np.float32]
Dense = Callable[[str], Floats]
GOOD = 3
"""The lowest label of a good match."""
_WORD = re.compile(r"[a-z0-9+#.]*[a-z0-9+#]")
_EMPTY = frozenset(
    [
        "a",
        "an",
        "the",
        "and",
        "or",
        "of",
        "to",
        "in",
        "for",
        "on",
        "at",
        "by",
        "with",
        "from",
        "as",
        "i",
        "my",
        "is",
        "are",
        "any",
        "want",
        "work",
        "looking",
        "job",
        "jobs",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolConfig:
    """How many candidates come from where; `same` are of the occupation and below GOOD, `met` are good."""

    by_title: int = 4
    by_text: int = 5
    by_dense: int = 4
    met: int = 2
    same: int = 10
    close: int = 2
    random: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A posting of a pool by its position, with the teacher's verdict and its label 0-4."""

    position: int
    verdict: Verdict
    label: int


class Bm25:
    """BM25 (Robertson, Lucene's variant, k1 1.5, b 0.75) over texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        import bm25s  # noqa: PLC0415 - heavy

        self._size = len(texts)
        self._index: Any = bm25s.BM25()
        self._index.index([_words(text) or ["-"] for text in texts], show_progress=False)
        self._known = frozenset(self._index.vocab_dict)

    def scores(self, query: str) -> Floats:
        """[N] scores of all texts."""
        words = [word for word in _words(query) if word in self._known]
        return (
            np.asarray(self._index.get_scores(words), np.float32)
            if words
            else np.zeros(self._size, np.float32)
        )


class Pools:
    """Pools over one split's postings, judged on the way; a candidate that the teacher leaves unjudged is left out."""

    def __init__(
        self,
        corpus: Corpus,
        teacher: RuleTeacher,
        aggregate: Aggregate,
        config: PoolConfig | None = None,
        dense: Dense | None = None,
    ) -> None:
        self._corpus, self._teacher, self._aggregate = corpus, teacher, aggregate
        self._config, self._dense = config or PoolConfig(), dense
        items = [posting.item for posting in corpus.postings]
        self.by_title = Bm25(
            [f"{item.title} {item.location} {item.employment_type} {item.remote}" for item in items]
        )
        self.by_text = Bm25([f"{item.title} {item.location} {item.company} {item.text}" for item in items])

    def pool(self, drawn: Drawn, rng: Random) -> list[Candidate] | None:
        """The judged candidates in random order; None without both a good match and another."""
        config, query = self._config, drawn.ask.query
        taken: dict[int, Candidate] = {}
        self._take(drawn, taken, [drawn.source], 1)
        self._take(drawn, taken, _top(self.by_title.scores(query), 3 * config.by_title), config.by_title)
        self._take(drawn, taken, _top(self.by_text.scores(query), 3 * config.by_text), config.by_text)
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
        taken: dict[int, Candidate],
        positions: Sequence[int],
        count: int,
        fits: Callable[[int], bool] = lambda _: True,
    ) -> None:
        """Up to `count` more of these positions, in order, judged."""
        for position in positions:
            if count <= 0:
                return
            if position in taken:
                continue
            verdict = self._teacher.judge(drawn.needs, self._corpus.postings[position])
            if verdict and fits(label := self._aggregate(verdict.grades)):
                taken[position] = Candidate(position=position, verdict=verdict, label=label)
                count -= 1


def _words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.lower()) if word not in _EMPTY]


def _top(scores_N: Floats, count: int) -> list[int]:
    """Positions of the highest scores above zero, best first."""
    count = min(count, len(scores_N))
    best = np.argpartition(-scores_N, count - 1)[:count]
    return [int(i) for i in best[np.argsort(-scores_N[best], kind="stable")] if scores_N[i] > 0]


def _some(rng: Random, positions: Sequence[int], count: int) -> list[int]:
    return rng.sample(positions, min(count, len(positions)))
