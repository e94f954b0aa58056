"""The queries that are to be judged: JSON Lines `{query_id, query, items?, needs?, split?, strata?}`."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from schemas.errors import ConfigError
from training.judging.postings import PostingRow
from training.judging.records import Ask, Split

KNOWN = ("query_id", "query", "items", "needs", "split", "strata")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query and the postings to judge for it; without any, somebody has to draw a pool."""

    ask: Ask
    posting_ids: tuple[str, ...] = ()


def read_queries(path: Path) -> list[Query]:
    """The queries of a file, in its order; ConfigError names the line that is wrong, or the file that holds none."""
    queries: list[Query] = []
    lines: dict[str, int] = {}
    for number, line in _lines(path):
        try:
            query = _query(line)
            if query.ask.query_id in lines:
                msg = f"query_id {query.ask.query_id!r} stands in line {lines[query.ask.query_id]} already"
                raise ValueError(msg)  # noqa: TRY301
        except ValueError as error:
            msg = f"{path}, line {number}: {error}"
            raise ConfigError(msg) from error
        lines[query.ask.query_id] = number
        queries.append(query)
    if not queries:
        msg = f"{path} holds no query: give JSON Lines {{query_id, query, items}}"
        raise ConfigError(msg)
    return queries


def queries_of_table(path: Path) -> list[Query]:
    """The pairs of a judged table without what was said of them, for another teacher."""
    from training.judging.table import read_judged

    asks: dict[str, Ask] = {}
    items: dict[str, list[str]] = {}
    for row in read_judged(path):
        ask = Ask(query_id=row.query_id, query=row.query, split=row.split, strata=row.strata)
        asks.setdefault(row.query_id, ask)
        items.setdefault(row.query_id, []).append(row.posting_id)
    return [Query(ask=ask, posting_ids=tuple(items[query_id])) for query_id, ask in asks.items()]


def pairs_of(queries: Iterable[Query], postings: Mapping[str, PostingRow]) -> list[tuple[Ask, PostingRow]]:
    """Each query with each of its postings; ConfigError names a posting that the postings file lacks."""
    pairs = []
    for query in queries:
        for posting_id in query.posting_ids:
            if posting_id not in postings:
                msg = f"query {query.ask.query_id!r}: the postings file has no posting {posting_id!r}"
                raise ConfigError(msg)
            pairs.append((query.ask, postings[posting_id]))
    return pairs


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, line
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        msg = f"{path} is not UTF-8 text, plain or gzipped: {error}"
        raise ConfigError(msg) from error


def _query(line: str) -> Query:
    row = json.loads(line)
    if not isinstance(row, dict):
        msg = f"not an object: {line.strip()[:60]}"
        raise ValueError(msg)  # noqa: TRY004  (a mistake in a file, not in a call)
    for key in row:
        if key not in KNOWN:
            msg = f"{key!r:.40} is not a field; known: {', '.join(KNOWN)}"
            raise ValueError(msg)
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
        msg = f"{key} is missing" if value is None else f"{key} must be a text, not {value!r:.40}"
        raise ValueError(msg)
    return value


def _needs(value: object) -> dict[str, Any]:
    if not isinstance(value, dict | None):
        msg = f"needs must be an object, not {value!r:.40}"
        raise ValueError(msg)  # noqa: TRY004
    return value or {}


def _split(value: object) -> Split:
    for split in get_args(Split):
        if value == split:
            return split  # type: ignore[no-any-return]
    msg = f"split must be one of {', '.join(get_args(Split))}, not {value!r:.40}"
    raise ValueError(msg)


def _list(row: dict[str, Any], key: str) -> list[str]:
    """A list of texts, each once; no list is an empty one, but an empty list is a mistake."""
    values = row.get(key)
    if values is None:
        return []
    if (
        not isinstance(values, list)
        or not values
        or not all(isinstance(each, str) and each for each in values)
    ):
        msg = f"{key} must be a list of texts with at least one, not {values!r:.60}"
        raise ValueError(msg)
    most, times = Counter(values).most_common(1)[0]
    if times > 1:
        msg = f"{key} names {most!r} {times} times"
        raise ValueError(msg)
    return values
