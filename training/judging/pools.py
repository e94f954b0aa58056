"""Pools for queries that name no postings: what BM25 finds on titles and on full texts, and strangers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np

from schemas.errors import ConfigError
from training.judging.postings import PostingRow
from training.judging.queries import Query
from training.judging.splits import split
from training.judging.word_index import Bm25


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSizes:
    """How many postings of a pool come from where."""

    by_title: int = 8
    by_text: int = 8
    random: int = 4


def with_pools(
    queries: Sequence[Query], postings: Sequence[PostingRow], sizes: PoolSizes | None = None, seed: int = 0
) -> list[Query]:
    """Each query with postings; those drawn are of the query's own split, so that none stands in two.

    ConfigError for a split without a posting to draw.
    """
    if all(query.posting_ids for query in queries):
        return list(queries)
    by_split = split(postings).postings
    pools = {
        name: Pool(by_split.get(name, ()), name, sizes or PoolSizes())
        for name in {query.ask.split for query in queries if not query.posting_ids}
    }
    return [
        query if query.posting_ids else replace(query, posting_ids=pools[query.ask.split].draw(query, seed))
        for query in queries
    ]


class Pool:
    """The postings of one split, ready to be searched."""

    def __init__(self, postings: Sequence[PostingRow], name: str, sizes: PoolSizes) -> None:
        """Raise ConfigError for a split without postings."""
        if not postings:
            msg = f"no posting falls into the split {name}: give more postings, or name the items of its queries"
            raise ConfigError(msg)
        self._ids, self._sizes = [posting.posting_id for posting in postings], sizes
        self._by_title = Bm25([posting.item.title for posting in postings])
        self._by_text = Bm25([f"{posting.item.title} {posting.item.text}" for posting in postings])

    def draw(self, query: Query, seed: int) -> tuple[str, ...]:
        """The ids of one query's pool in random order, the same for the same seed."""
        rng = Random(f"{seed} {query.ask.query_id}")
        found = _best(self._by_title, query, self._sizes.by_title) + _best(
            self._by_text, query, self._sizes.by_text
        )
        found += rng.sample(range(len(self._ids)), min(self._sizes.random, len(self._ids)))
        chosen = [self._ids[position] for position in dict.fromkeys(found)]
        rng.shuffle(chosen)
        return tuple(chosen)


def _best(index: Bm25, query: Query, count: int) -> list[int]:
    """Positions of the best scores above 0; of equal ones the first."""
    scores_N = index.scores(query.ask.query)
    return [int(place) for place in np.argsort(-scores_N, kind="stable")[:count] if scores_N[place] > 0]


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
