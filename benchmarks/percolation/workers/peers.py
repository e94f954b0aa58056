"""perq or mokaccino over prepared files, in the peers' own environment; imports nothing of this project.

Usage: `python peers.py NAME FOLDER`; prints one line of JSON.
"""

import hashlib
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from functools import reduce
from operator import and_, or_
from pathlib import Path
from typing import Any

Match = Callable[[list[str]], list[str]]


def queries(folder: Path) -> Iterator[tuple[str, list[list[str]]]]:
    """The queries, one after another."""
    with (folder / "queries.jsonl").open() as file:
        for line in file:
            yield tuple(json.loads(line))


def perq(folder: Path) -> Match:
    """Perq's index in memory."""
    from perq import Document, MemoryStore, Query, QueryMatcher, index

    store = MemoryStore()
    index((Query(name, clauses) for name, clauses in queries(folder)), store)
    matcher = QueryMatcher(store)
    return lambda tokens: list(matcher.matches(Document(tokens)))


def mokaccino(folder: Path) -> Match:
    """Mokaccino's percolator, optimized as it advises."""
    from mokaccino import Document, Percolator, Query

    def of(token: str) -> Any:
        return Query.from_kv("t", token)

    percolator, names = Percolator(), {}
    for name, clauses in queries(folder):
        names[percolator.add_query(reduce(and_, [reduce(or_, map(of, group)) for group in clauses]))] = name
    if hasattr(percolator, "optimized"):
        percolator = percolator.optimized()

    def match(tokens: list[str]) -> list[str]:
        document = Document()
        for token in tokens:
            document.add_value("t", token)
        return [names[number] for number in percolator.percolate_list(document)]

    return match


def main() -> None:
    """Build, match each document alone, and print what it took."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    documents = [json.loads(line) for line in (folder / "documents.jsonl").read_text().splitlines()]
    began = time.process_time()
    match = {"perq": perq, "mokaccino": mokaccino}[name](folder)
    build_s = time.process_time() - began
    match(documents[0])
    began = time.process_time()
    found = [match(document) for document in documents]
    taken_s = time.process_time() - began
    digest = hashlib.sha256(json.dumps([sorted(one) for one in found]).encode()).hexdigest()
    print(
        json.dumps(
            {
                "build_s": build_s,
                "postings_s": len(documents) / taken_s,
                "candidates": sum(map(len, found)) / len(documents),
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "digest": digest,
            }
        )
    )


if __name__ == "__main__":
    main()
