"""The data of pruning: (query, item) pairs to calibrate on, and judged queries to measure a model by.

A file of queries is either judged (`training.judging.judged_file`) or JSON Lines of objects with `query`, such as saved
searches. Postings are JSON Lines (`training.judging.postings`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from models.prompts import Item, Prompter
from schemas.errors import ConfigError
from training.components.arrays import Floats
from training.evaluation.metrics import earned_ndcg
from training.evaluation.offline import TransformersScorer
from training.judging.judged_file import check_known, is_judged, read_judged_queries
from training.judging.lines import json_lines
from training.judging.postings import read_postings
from training.judging.records import ALL, Judged, JudgedQuery

ROUNDS = 8
"""Passes over a file of postings, each taking another eighth of the rows: even few tokens come from the whole file."""


def pairs(postings: Path, queries: Path | None, seed: int = 0) -> Iterator[tuple[str, Item]]:
    """Pairs to calibrate on: a judged file's; else each posting with a query drawn from the file, or with a title.

    Judged pairs come in random order, and only from the train split if there is one, so that no pair is both calibrated
    on and measured.
    """
    rng = Random(seed)
    if queries is None:
        yield from _own_titles(postings)
    elif is_judged(queries):
        yield from _judged_pairs(postings, queries, rng)
    else:
        words = _plain(queries)
        yield from ((rng.choice(words), item) for item in _spread(postings))


def judged_queries(judged: Path, postings: Path, split: str = ALL) -> list[Judged]:
    """The judged queries of a split with their items; ConfigError if it is empty or names a posting not in the file."""
    queries = read_judged_queries(judged, split)
    items = _items(postings, queries)
    return [
        Judged(
            query=one.query,
            posting_ids=one.posting_ids,
            items=tuple(items[i] for i in one.posting_ids),
            grades=one.labels,
        )
        for one in queries
    ]


def ndcgs(judged: Sequence[Judged], prompter: Prompter, k: int = 10) -> Callable[[Any], Floats]:
    """A function from a transformers model to its NDCG@k, linear gains, on each query with an item graded above 0.

    ConfigError if no query has one.
    """
    scored = [one for one in judged if any(one.grades)]
    if not scored:
        raise ConfigError("no judged query has a relevant item: NDCG says nothing")
    asked = [(one.query, one.items) for one in scored]

    def measure(model: Any) -> Floats:
        scores = TransformersScorer(model, prompter).differences(asked)
        return np.array([earned_ndcg(s, one.grades, k) for s, one in zip(scores, scored, strict=True)])

    return measure


def _judged_pairs(postings: Path, judged: Path, rng: Random) -> Iterator[tuple[str, Item]]:
    queries = read_judged_queries(judged, ALL)
    queries = [one for one in queries if one.split == "train"] or queries
    items = _items(postings, queries)
    named = [(one.query, posting_id) for one in queries for posting_id in one.posting_ids]
    rng.shuffle(named)
    yield from ((query, items[posting_id]) for query, posting_id in named)


def _own_titles(postings: Path) -> Iterator[tuple[str, Item]]:
    """Each posting with a title as its query: by turns its own and that of the posting before it."""
    before = ""
    for number, item in enumerate(_spread(postings)):
        yield (before if number % 2 else item.title), item
        before = item.title


def _spread(postings: Path) -> Iterator[Item]:
    for begin in range(ROUNDS):
        yield from (row.item for row in islice(read_postings(postings), begin, None, ROUNDS))


def _items(postings: Path, queries: Sequence[JudgedQuery]) -> dict[str, Item]:
    """The items that the queries name; the others are not kept, because a catalog may be large."""
    wanted = {posting_id for one in queries for posting_id in one.posting_ids}
    items = {row.posting_id: row.item for row in read_postings(postings) if row.posting_id in wanted}
    check_known(queries, items)
    return items


def _plain(path: Path) -> list[str]:
    words = []
    for where, row in json_lines(path):
        query = row.get("query")
        if not isinstance(query, str) or not query.strip():
            raise ConfigError(f"{where}: query must be a text that is not empty")
        words.append(query)
    if not words:
        raise ConfigError(f"{path} holds no query")
    return words
