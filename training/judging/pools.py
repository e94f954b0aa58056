"""Pools for queries that name no postings: what BM25 finds on titles and on full texts, and postings drawn at random."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np

from schemas.errors import ConfigError
from training.judging.postings import PostingRow
from training.judging.queries import Query
from training.judging.splits import split
from training.judging.word_index import WordIndex
from training.judging.words import search_words


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSizes:
    """How many postings of a pool BM25 finds on titles and on full texts, and how many are drawn at random."""

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
        name: SplitIndex(by_split.get(name, ()), name, sizes or PoolSizes())
        for name in {query.ask.split for query in queries if not query.posting_ids}
    }
    return [
        query if query.posting_ids else replace(query, posting_ids=pools[query.ask.split].draw(query, seed))
        for query in queries
    ]


class SplitIndex:
    """The postings of one split, ready to be searched."""

    def __init__(self, postings: Sequence[PostingRow], name: str, sizes: PoolSizes) -> None:
        """Raise ConfigError for a split without postings."""
        if not postings:
            raise ConfigError(
                f"no posting falls into the split {name}: give more postings, or name the items of its queries"
            )
        self._ids, self._sizes = [posting.posting_id for posting in postings], sizes
        self._by_title = index_of(posting.item.title for posting in postings)
        self._by_text = index_of(f"{posting.item.title} {posting.item.text}" for posting in postings)

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


def index_of(texts: Iterable[str]) -> WordIndex:
    """An index of texts by their search words; a text without any gets the word `-`, so that its length is not 0."""
    return WordIndex([search_words(text) or ["-"] for text in texts])


def _best(index: WordIndex, query: Query, count: int) -> list[int]:
    """Positions of the best scores above 0; of equal ones the first."""
    scores_N = index.scores(search_words(query.ask.query))
    return [int(place) for place in np.argsort(-scores_N, kind="stable")[:count] if scores_N[place] > 0]
