"""Our percolator over the workload, in a process of its own, which tells its memory; prints one line of JSON.

Usage: `python -m benchmarks.percolation.workers.ours JSON`, the fields of `Given`.
"""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np

from benchmarks.percolation.clauses import needed
from benchmarks.percolation.workload import postings, searches
from models.embedder import HashingEmbedder
from pipeline.filters import filters_pass
from pipeline.match import load_places
from pipeline.percolation.matcher import Matches
from pipeline.percolation.meaning import WIRE, QueryVector
from pipeline.percolation.percolator import Percolator
from pipeline.terms import terms
from schemas.records import FeatureRecord, SavedSearch

_CHANGES = 200
_AT_ONCE = 1_000
_CHECKED = 4
"""Postings whose candidates are compared with brute force over all searches."""

Saved = tuple[SavedSearch, QueryVector | None]


class Given(NamedTuple):
    """What is measured: the condition is `all` or `half` of the words, or `vectors`."""

    condition: str
    searches: int
    postings: int
    batch: int
    width: int
    seed: int
    similarity: float


def main() -> None:
    """Build, match in batches, put and drop, and print what it took."""
    given = Given(**json.loads(sys.argv[1]))
    load_places()
    embedder = HashingEmbedder(given.width) if given.condition == "vectors" else None
    records = _postings(given.postings, given.seed + 1, embedder)
    words = None if given.condition == "vectors" else (lambda count: needed(given.condition, count))
    percolator, build_s = Percolator(needed=words), 0.0
    for saved in _batches(_saved(given.searches, given.seed, embedder, given.similarity), _AT_ONCE):
        began = time.process_time()
        for search, query in saved:
            percolator.put_search(search, query)
        build_s += time.process_time() - began
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _match(percolator, records, given.batch)  # filters are tested at first sight
    terms.cache_clear()  # each posting is read once
    began = time.process_time()
    found = _match(percolator, records, given.batch)
    taken_s = time.process_time() - began
    result = {
        "build_s": build_s,
        "postings_s": len(records) / taken_s,
        "candidates": sum(map(len, found)) / len(records),
        "peak_mib": max(peak_mib, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "digest": _digest(found),
        "put_ms": _slowest_ms(percolator, given, embedder),
    }
    if embedder is not None:
        result["equal"] = _equals_brute_force(given, embedder, records, found)
    print(json.dumps(result))


def _match(percolator: Percolator, records: Sequence[FeatureRecord], batch: int) -> list[Matches]:
    return [
        one
        for start in range(0, len(records), batch)
        for one in percolator.match_many(records[start : start + batch])
    ]


def _saved(count: int, seed: int, embedder: HashingEmbedder | None, similarity: float) -> Iterator[Saved]:
    for some in _batches(searches(count, seed), _AT_ONCE):
        if embedder is None:
            yield from ((search, None) for search in some)
            continue
        vectors = embedder.embed_queries([search.query for search in some], 1.0)
        for search, vector in zip(some, vectors, strict=True):
            yield search, QueryVector(model=embedder.model, vector=vector, threshold=similarity)


def _postings(count: int, seed: int, embedder: HashingEmbedder | None) -> list[FeatureRecord]:
    records = postings(count, seed)
    if embedder is None:
        return records
    vectors = embedder.embed_postings([f"{one.title} {one.summary}" for one in records], 1.0)
    return [
        replace(one, vector=vector, vector_model=embedder.model)
        for one, vector in zip(records, vectors, strict=True)
    ]


def _slowest_ms(percolator: Percolator, given: Given, embedder: HashingEmbedder | None) -> float:
    """The slowest put or drop of a search among many."""
    slowest = 0.0
    for search, query in _saved(_CHANGES, given.seed + 2, embedder, given.similarity):
        new = replace(search, search_id=f"new-{search.search_id}")
        changes = (partial(percolator.put_search, new, query), partial(percolator.drop_search, new.search_id))
        for change in changes:
            began = time.process_time()
            change()
            slowest = max(slowest, time.process_time() - began)
    return slowest * 1_000


def _equals_brute_force(
    given: Given,
    embedder: HashingEmbedder,
    records: Sequence[FeatureRecord],
    found: Sequence[Matches],
) -> bool:
    """Whether the first postings' candidates are those of a product in float64 with every search."""
    checked = records[:_CHECKED]
    exact = np.stack([np.frombuffer(one.vector, WIRE) for one in checked]).astype(np.float64)
    expected: list[set[str]] = [set() for _ in checked]
    for some in _batches(_saved(given.searches, given.seed, embedder, given.similarity), _AT_ONCE):
        able = [(search, query) for search, query in some if query is not None and query.vector]
        wanted = np.stack([np.frombuffer(query.vector, WIRE) for _, query in able]).astype(np.float64)
        for row, place in np.argwhere(wanted @ exact.T >= given.similarity):
            if filters_pass(able[row][0], checked[place]):
                expected[place].add(able[row][0].search_id)
    return expected == [{search.search_id for search, _ in one.similar} for one in found[:_CHECKED]]


def _batches(items: Iterable[Saved] | Iterable[SavedSearch], size: int) -> Iterator[list]:  # type: ignore[type-arg]
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


def _digest(found: Sequence[Matches]) -> str:
    names = [sorted(search.search_id for search in one.searches()) for one in found]
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()


if __name__ == "__main__":
    main()
