"""The workload in the peers' form: documents as tokens, queries as clauses of which each needs one of its tokens."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

from pipeline.filters import FILTERS
from pipeline.match import feature_terms, query_terms
from schemas.records import FeatureRecord, SavedSearch

Clauses = list[list[str]]


def needed(condition: str, words: int) -> int:
    """How many of a query's words a posting must hold: `all`, or `half` of them, rounded up."""
    return words if condition == "all" else (words + 1) // 2


def write(
    searches: Iterable[SavedSearch], postings: Sequence[FeatureRecord], condition: str, folder: Path
) -> None:
    """Write `queries.jsonl` and `documents.jsonl` for the peers' worker."""
    wanted: dict[str, SavedSearch] = {}
    with (folder / "queries.jsonl").open("w") as file:
        for search in searches:
            wanted |= dict.fromkeys(_filters(search), search)
            file.write(json.dumps([search.search_id, clauses(search, condition)]) + "\n")
    with (folder / "documents.jsonl").open("w") as file:
        for posting in postings:
            passed = [token for token, search in wanted.items() if _passes(token, search, posting)]
            file.write(json.dumps([*feature_terms(posting), *passed]) + "\n")


def clauses(search: SavedSearch, condition: str) -> Clauses:
    """At least m of n words hold if each choice of n - m + 1 of them holds one; and each filter's token must hold."""
    words = sorted(query_terms(search.query)[0])
    size = len(words) - needed(condition, len(words)) + 1
    chosen = [list(group) for group in combinations(words, size)] if words else []
    return chosen + [[token] for token in _filters(search)]


def _filters(search: SavedSearch) -> Iterator[str]:
    for one in FILTERS:
        wanted = one.wanted(search)
        if wanted is not None:
            yield f"{one.name}={wanted}"


def _passes(token: str, search: SavedSearch, posting: FeatureRecord) -> bool:
    name = token.partition("=")[0]
    return next(one for one in FILTERS if one.name == name).test(search, posting)
