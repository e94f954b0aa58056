"""Reader of queries that are to be judged: JSON Lines `{query_id, query, items?, needs?, split?, strata?}`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from schemas.errors import ConfigError
from training.judging.judged_file import read_judged_queries
from training.judging.lines import open_lines
from training.judging.postings import PostingRow
from training.judging.records import ALL, Ask, Split

KNOWN = ("query_id", "query", "items", "needs", "split", "strata")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query and the ids of the postings to judge for it; if it has none, `training.judging.pools` draws postings."""

    ask: Ask
    posting_ids: tuple[str, ...] = ()


def read_queries(path: Path) -> list[Query]:
    """The queries of a file, in its order; ConfigError names the line that is wrong, or a file without queries."""
    queries: list[Query] = []
    lines: dict[str, int] = {}
    for number, line in open_lines(path):
        try:
            query = _query(line)
        except ValueError as error:
            raise ConfigError(f"{path}, line {number}: {error}") from error
        if query.ask.query_id in lines:
            raise ConfigError(
                f"{path}, line {number}: query_id {query.ask.query_id!r} stands in line "
                f"{lines[query.ask.query_id]} already"
            )
        lines[query.ask.query_id] = number
        queries.append(query)
    if not queries:
        raise ConfigError(f"{path} holds no query: give JSON Lines {{query_id, query, items}}")
    return queries


def queries_of_table(path: Path) -> list[Query]:
    """The pairs of a judged file without their grades, for another teacher to grade."""
    return [
        Query(
            ask=Ask(query_id=one.query_id, query=one.query, split=one.split, strata=one.strata),
            posting_ids=one.posting_ids,
        )
        for one in read_judged_queries(path, ALL)
    ]


def pairs_of(queries: Iterable[Query], postings: Mapping[str, PostingRow]) -> list[tuple[Ask, PostingRow]]:
    """Every (query, posting) that is to be judged; ConfigError names a posting that the postings file lacks."""
    pairs = []
    for query in queries:
        for posting_id in query.posting_ids:
            if posting_id not in postings:
                raise ConfigError(
                    f"query {query.ask.query_id!r}: the postings file has no posting {posting_id!r}"
                )
            pairs.append((query.ask, postings[posting_id]))
    return pairs


def _query(line: str) -> Query:
    row = json.loads(line)
    if not isinstance(row, dict):
        raise ValueError(f"not an object: {line.strip()[:60]}")  # noqa: TRY004  (a mistake in a file, not in a call)
    for key in row:
        if key not in KNOWN:
            raise ValueError(f"{key!r:.40} is not a field; known: {', '.join(KNOWN)}")
    return Query(
        ask=Ask(
            query_id=_word(row, "query_id"),
            query=_word(row, "query"),
            needs=_needs(row.get("needs")),
            split=_split(row.get("split", "test")),
            strata=tuple(_list(row, "strata")),
        ),
        posting_ids=tuple(_list(row, "items")),
    )


def _word(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{key} is missing" if value is None else f"{key} must be a text, not {value!r:.40}")
    return value


def _needs(value: object) -> dict[str, Any]:
    if not isinstance(value, dict | None):
        raise ValueError(f"needs must be an object, not {value!r:.40}")  # noqa: TRY004
    return value or {}


def _split(value: object) -> Split:
    for split in get_args(Split):
        if value == split:
            return split  # type: ignore[no-any-return]
    raise ValueError(f"split must be one of {', '.join(get_args(Split))}, not {value!r:.40}")


def _list(row: dict[str, Any], key: str) -> list[str]:
    """The texts listed under `key`. A missing field gives []; an empty list or a text named twice is a ValueError."""
    values = row.get(key)
    if values is None:
        return []
    if (
        not isinstance(values, list)
        or not values
        or not all(isinstance(each, str) and each for each in values)
    ):
        raise ValueError(f"{key} must be a list of texts with at least one, not {values!r:.60}")
    most, times = Counter(values).most_common(1)[0]
    if times > 1:
        raise ValueError(f"{key} names {most!r} {times} times")
    return values
