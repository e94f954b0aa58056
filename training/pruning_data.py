"""What pruning reads: (query, item) pairs to calibrate on, and judged queries to measure a model by.

A file of queries is JSON Lines, one object with `query` a line, or judged: JSON Lines with `{query, items: [{id,
grade}]}` or Parquet with `query`, `posting_id` and `label`. Postings are JSON Lines (`training.judged`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from models.prompts import Item, Prompter
from schemas.errors import ConfigError
from training.figures import Floats
from training.judged import read_postings
from training.ndcg import ndcg
from training.real_labels import Judged
from training.scoring import OfflineRanker

ALL = "all"
ROUNDS = 8
"""Postings are taken in so many passes, every eighth in each: a few tokens still come from the whole file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A row of a file of queries: with the postings that it names and their grades, if it is judged."""

    query: str
    ids: tuple[str, ...] = ()
    grades: tuple[int, ...] = ()
    split: str = ""


def pairs(postings: Path, queries: Path | None, seed: int = 0) -> Iterator[tuple[str, Item]]:
    """Judged pairs in random order; with queries alone each posting and one of them; with none, titles as queries.

    Of a file with splits only `train` is read: what is measured later is not calibrated on.
    """
    rng = Random(seed)
    if queries is None:
        yield from _own_titles(postings)
        return
    asked = read_asked(queries)
    asked = [row for row in asked if row.split == "train"] or asked
    if any(row.ids for row in asked):
        named = [(row.query, posting_id) for row in asked for posting_id in row.ids]
        items = _items(postings, {posting_id for _, posting_id in named}, queries)
        rng.shuffle(named)
        yield from ((query, items[posting_id]) for query, posting_id in named)
        return
    for item in _spread(postings):
        yield rng.choice(asked).query, item


def read_asked(path: Path) -> list[Asked]:
    """Rows of a file of queries, judged or not; ConfigError names the line, or the columns that miss."""
    rows = _parquet(path) if path.suffix == ".parquet" else _lines(path)
    if not rows:
        raise ConfigError(f"{path} holds no query")
    return rows


def judged_queries(judged: Path, postings: Path, split: str = ALL) -> list[Judged]:
    """The judged queries of a split with their items; ConfigError if it has none, or names a posting nobody has."""
    asked = [row for row in read_asked(judged) if row.ids and split in {ALL, row.split}]
    if not asked and split != ALL:
        raise ConfigError(f"{judged} has no judged query in split {split!r}")
    if not asked:
        raise ConfigError(f"{judged} judges nothing: give rows with items and grades")
    items = _items(postings, {posting_id for row in asked for posting_id in row.ids}, judged)
    return [
        Judged(query=row.query, items=tuple(items[i] for i in row.ids), grades=row.grades) for row in asked
    ]


def ndcgs(judged: Sequence[Judged], prompter: Prompter, k: int = 10) -> Callable[[Any], Floats]:
    """NDCG@k of a Qwen3ForCausalLM, linear gains, for each query that has a relevant item; ConfigError if none has."""
    scored = [one for one in judged if any(one.grades)]
    if not scored:
        raise ConfigError("no judged query has a relevant item: NDCG says nothing")
    cuts = np.cumsum([len(one.items) for one in scored])[:-1]
    asked = [(one.query, item) for one in scored for item in one.items]

    def measure(model: Any) -> Floats:
        scores = np.split(OfflineRanker(model, prompter).logits(asked), cuts)
        return np.array([ndcg(each, one.grades, k) for each, one in zip(scores, scored, strict=True)])

    return measure


def mean_ndcg(judged: Sequence[Judged], prompter: Prompter, k: int = 10) -> Callable[[Any], float]:
    """The mean of `ndcgs`: a metric for a scan."""
    measure = ndcgs(judged, prompter, k)
    return lambda model: float(measure(model).mean())


def _own_titles(postings: Path) -> Iterator[tuple[str, Item]]:
    """Every second posting is asked for by its own title, the others by the title before."""
    before = ""
    for number, item in enumerate(_spread(postings)):
        yield (before if number % 2 else item.title), item
        before = item.title


def _spread(postings: Path) -> Iterator[Item]:
    for begin in range(ROUNDS):
        yield from (row.item for row in islice(read_postings(postings), begin, None, ROUNDS))


def _items(postings: Path, wanted: set[str], asked: Path) -> dict[str, Item]:
    items = {row.posting_id: row.item for row in read_postings(postings) if row.posting_id in wanted}
    if missing := wanted - items.keys():
        raise ConfigError(
            f"{asked} names posting {min(missing)} ({len(missing)} in all) that {postings} does not have"
        )
    return items


def _lines(path: Path) -> list[Asked]:
    with path.open(encoding="utf-8") as lines:
        return [_asked(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _asked(path: Path, number: int, line: str) -> Asked:
    try:
        row = json.loads(line)
        items = row.get("items") or []
        return Asked(
            query=str(row["query"]),
            ids=tuple(str(item["id"]) for item in items),
            grades=tuple(int(item["grade"]) for item in items),
            split=str(row.get("split") or ""),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        msg = (
            f"{path}, line {number}: no query ({type(error).__name__}: {error}); give an object with `query`"
        )
        raise ConfigError(msg) from error


def _parquet(path: Path) -> list[Asked]:
    import pyarrow.parquet  # noqa: PLC0415  (slow to import)

    found = set(pyarrow.parquet.read_schema(path).names)
    needed = ("query", "posting_id", "label")
    if missing := [name for name in needed if name not in found]:
        raise ConfigError(f"{path} has no column {', '.join(missing)}: give judged Parquet")
    columns = [*needed, *(name for name in ("query_id", "split") if name in found)]
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in pyarrow.parquet.read_table(path, columns=columns).to_pylist():
        groups.setdefault(row.get("query_id") or row["query"], []).append(row)
    return [
        Asked(
            query=rows[0]["query"],
            ids=tuple(row["posting_id"] for row in rows),
            grades=tuple(row["label"] for row in rows),
            split=rows[0].get("split") or "",
        )
        for rows in groups.values()
    ]
