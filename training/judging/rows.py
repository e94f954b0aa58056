"""One judged (query, posting), checked field by field, and the JSON Lines that hold such pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from schemas.errors import ConfigError
from training.judging.lines import json_lines
from training.judging.records import MAX_GRADE, Split

EXPECTED = 'each line is {"query": ..., "items": [{"id": ..., "grade": 0-4}]}'


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPair:
    """One judged (query, posting), and its place in a file for error messages."""

    query_id: str
    query: str
    posting_id: str
    label: int
    soft_label: float
    split: Split
    strata: tuple[str, ...]
    where: str


def line_pairs(path: Path) -> Iterator[JudgedPair]:
    """Pairs of a JSON Lines file of judged queries, in file order."""
    numbers: dict[str, str] = {}
    for where, row in json_lines(path):
        items = row.get("items")
        if not isinstance(row.get("query"), str) or not isinstance(items, list) or not items:
            raise ConfigError(f"{where}: query must be a text and items a list that is not empty; {EXPECTED}")
        head = row | {"query_id": row.get("query_id") or number_of(row["query"], numbers)}
        for number, item in enumerate(items, 1):
            if not isinstance(item, dict):
                raise ConfigError(f"{where}, item {number}: not an object; {EXPECTED}")
            yield pair_of(f"{where}, item {number}", head, item)


def number_of(query: str, numbers: dict[str, str]) -> str:
    """The id of a query that has none: `q` and its place among the different queries of its file."""
    return numbers.setdefault(query, f"q{len(numbers) + 1}")


def pair_of(where: str, head: Mapping[str, Any], item: Mapping[str, Any]) -> JudgedPair:
    """A pair from what a row says of its query (`head`) and of its posting; ConfigError names the row and the field."""
    label = _grade(where, item)
    return JudgedPair(
        query_id=_name(where, "query_id", head["query_id"]),
        query=_name(where, "query", head["query"]),
        posting_id=_name(where, "id of the posting", item.get("id")),
        label=label,
        soft_label=_soft(where, item.get("soft_label"), label),
        split=_split(where, head.get("split")),
        strata=_strata(where, head.get("strata")),
        where=where,
    )


def _grade(where: str, item: Mapping[str, Any]) -> int:
    grade = item.get("grade", item.get("label"))
    whole = isinstance(grade, int | float) and not isinstance(grade, bool) and grade == grade // 1
    if not whole or not 0 <= grade <= MAX_GRADE:
        raise ConfigError(f"{where}: grade must be a whole number from 0 to {MAX_GRADE}, not {grade!r}")
    return int(grade)


def _name(where: str, name: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ConfigError(f"{where}: {name} is missing or no text: {value!r}")
    return str(value)


def _soft(where: str, value: Any, label: int) -> float:
    if value is None:
        return label / MAX_GRADE
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError(f"{where}: soft_label must be a number from 0 to 1, not {value!r}")
    return float(value)


def _split(where: str, value: Any) -> Split:
    if value is None:
        return "test"
    if value not in get_args(Split):
        raise ConfigError(f"{where}: split must be one of {', '.join(get_args(Split))}, not {value!r}")
    return cast("Split", value)


def _strata(where: str, value: Any) -> tuple[str, ...]:
    names = [] if value is None else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{where}: strata must be a list of texts, not {value!r}")
    return tuple(names)
