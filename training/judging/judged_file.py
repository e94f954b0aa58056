"""The reader of judged files: our Parquet or JSON Lines in, queries with their grades out, checked row by row.

Parquet has one row for each pair, with the columns `query_id` or `query`, `posting_id`, and `label` or `grade`;
`soft_label`, `split` and `strata` are read where they are there. JSON Lines, plain or gzip, have one query a line,
`{query, items: [{id, grade}]}`; a line may have `query_id`, `split` and `strata`, an item `soft_label`. A row without
a split belongs to `test`. For whole rows of our own table, with grades by dimension and rationales, see
`training.judging.table`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from models.prompts import Item
from schemas.errors import ConfigError
from training.judging.lines import json_lines
from training.judging.postings import read_postings
from training.judging.records import ALL, JudgedQuery
from training.judging.rows import EXPECTED, JudgedPair, line_pairs
from training.judging.splits import shared


def read_judged_queries(path: Path, split: str = "test") -> list[JudgedQuery]:
    """The judged queries of a split, or of every split (`all`), in file order.

    ConfigError names the file and the row for a missing column, a grade that is not 0-4, a pair judged twice, a
    line that is not JSON, an empty file or an empty split.
    """
    pairs = _pairs(path)
    if not pairs:
        raise ConfigError(f"{path} is empty or holds no judged pair: {EXPECTED}, or a row of judged Parquet")
    kept = [pair for pair in pairs if split in {ALL, pair.split}]
    if not kept:
        found = ", ".join(sorted({pair.split for pair in pairs}))
        raise ConfigError(f"{path}: split {split!r} is empty; the file has {found} (--split)")
    return grouped(kept)


def shared_postings(path: Path) -> list[str]:
    """A warning that names a posting judged in two splits, and how many there are; [] where each is in one."""
    found = shared((pair.posting_id, pair.split) for pair in _pairs(path))
    if not found:
        return []
    posting, names = next(iter(found.items()))
    told = f"posting {posting} is judged in the splits {' and '.join(names)}, {len(found)} postings are in more than one"
    return [f"warning: {path.name}: {told}: figures of one split are of postings that another has seen"]


def is_judged(path: Path) -> bool:
    """Whether a file holds judged queries (Parquet, or JSON Lines whose first object has `items`) or only queries."""
    return _is_parquet(path) or any("items" in row for _, row in islice(json_lines(path), 1))


def grouped(pairs: Sequence[JudgedPair]) -> list[JudgedQuery]:
    """Queries with their items; ConfigError for a pair judged twice and for one query id of two different queries."""
    queries: dict[str, list[JudgedPair]] = {}
    seen: dict[tuple[str, str], str] = {}
    for pair in pairs:
        key = (pair.query_id, pair.posting_id)
        if key in seen:
            raise ConfigError(
                f"{pair.where}: posting {pair.posting_id!r} is judged twice for query {pair.query_id!r}, first at {seen[key]}"
            )
        seen[key] = pair.where
        queries.setdefault(pair.query_id, []).append(pair)
    return [_query(rows) for rows in queries.values()]


def _query(rows: list[JudgedPair]) -> JudgedQuery:
    first = rows[0]
    for row in rows:
        if (row.query, row.split) != (first.query, first.split):
            raise ConfigError(
                f"{row.where}: query id {row.query_id!r} stands for {row.query!r} ({row.split}) here and for {first.query!r} ({first.split}) at {first.where}"
            )
    return JudgedQuery(
        query_id=first.query_id,
        query=first.query,
        posting_ids=tuple(row.posting_id for row in rows),
        labels=tuple(row.label for row in rows),
        soft_labels=tuple(row.soft_label for row in rows),
        split=first.split,
        strata=tuple(dict.fromkeys(name for row in rows for name in row.strata)),
    )


def read_items(paths: Sequence[Path]) -> dict[str, Item]:
    """The items of postings files by posting id; ConfigError for a damaged file and for two postings with one id."""
    items: dict[str, Item] = {}
    for path in paths:
        for row in read_postings(path):
            if items.setdefault(row.posting_id, row.item) != row.item:
                raise ConfigError(
                    f"{path}: posting {row.posting_id!r} stands there with two different contents"
                )
    if not items:
        raise ConfigError(
            f"{', '.join(map(str, paths))}: no posting; each line is an object with id, title, description"
        )
    return items


def check_known(queries: Sequence[JudgedQuery], items: Mapping[str, Item]) -> None:
    """Raise ConfigError when judged postings are in no postings file: how many there are, and the first one's id."""
    absent = [(q, i) for q in queries for i in q.posting_ids if i not in items]
    if absent:
        query, posting = absent[0]
        distinct = len({posting for _, posting in absent})
        raise ConfigError(
            f"{distinct} of the judged postings are not in the postings file, first {posting!r} of query {query.query_id!r}: give the file that was judged (--postings, more than once if there are several)"
        )


def _pairs(path: Path) -> list[JudgedPair]:
    return list(_parquet(path) if _is_parquet(path) else line_pairs(path))


def _is_parquet(path: Path) -> bool:
    if path.is_dir():
        return True
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def _parquet(path: Path) -> Iterator[JudgedPair]:
    try:
        from training.judging.parquet_rows import parquet_pairs  # of an extra
    except ImportError as error:
        raise ConfigError(
            "judged Parquet needs pyarrow: pip install 'nearline-job-search[train]', or give JSON Lines"
        ) from error
    return parquet_pairs(path)
