"""Trace files: one request a line, in the order of their arrival (docs/simulator.md#traces)."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from schemas.errors import TraceError
from schemas.lines import numbered_lines
from schemas.traffic import TrafficClass, traffic_class

FIELDS = (
    "at",
    "class",
    "query",
    "items",
    "first",
    "candidates",
    "prefix_tokens",
    "item_tokens",
    "deadline_s",
)
"""Every field that a line may have; the first three and either `items` or `candidates` it must have."""
MOMENT_S = 1e-3
"""Shortest deadline."""


class Request(NamedTuple):
    """A request for the scores of some candidates of one query."""

    at: float
    """Seconds from the trace's beginning."""
    traffic: TrafficClass
    query: str | int
    candidates: Sequence[Any]
    """The candidates by name or number, best first: a depth of n keeps the first n."""
    prefix_tokens: int
    """Tokens that all of its prompts share."""
    item_tokens: float
    """Tokens that a prompt has beside those, on average."""
    deadline_s: float
    """Seconds from `at` after which an answer is late."""


def read_trace(path: Path, defaults: Request) -> Iterator[Request]:
    """Yield the requests of a file, plain or gzip; a field that a line lacks is that of `defaults`.

    TraceError, which names the line: no JSON object, an unknown field, a number that is not finite or too small, a time
    before that of the line above. EventError for a damaged gzip file, after every whole line before the damage.
    """
    before = 0.0
    for number, line in numbered_lines(path):
        try:
            request = _request(line, defaults)
            _check_order(request, before)
        except ValueError as error:
            raise TraceError(f"{path.name}, line {number}: {error}") from None
        before = request.at
        yield request


def write_trace(requests: Iterable[Request], path: Path) -> int:
    """Write a trace, gzip where the name ends in .gz; return its length. TraceError if `requests` are out of order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count, before = 0, 0.0
    with closing(gzip.open(path, "wb") if path.suffix == ".gz" else path.open("wb")) as file:
        for request in requests:
            if request.at < before:
                raise TraceError(
                    f"{path.name}: request {count + 1} at {request.at} s follows one at {before} s"
                )
            file.write(json.dumps(_row(request)).encode() + b"\n")
            count, before = count + 1, request.at
    return count


def _check_order(request: Request, before: float) -> None:
    if request.at < before:
        raise ValueError(f"at {request.at} comes after {before}: sort the trace by time")


def _request(line: bytes, defaults: Request) -> Request:
    found = json.loads(line, parse_constant=float)
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004  (the caller turns it into a TraceError)
    if strange := sorted(found.keys() - set(FIELDS)):
        raise ValueError(f"unknown field {strange[0]!r}; a line may have {', '.join(FIELDS)}")
    if not isinstance(found.get("query"), str | int):
        raise ValueError(f"query is {found.get('query')!r}: give text or a number")  # noqa: TRY004  (as above)
    return Request(
        at=_number(found, "at", None, 0.0),
        traffic=traffic_class(str(found.get("class"))),
        query=found["query"],
        candidates=_candidates(found),
        prefix_tokens=int(_number(found, "prefix_tokens", defaults.prefix_tokens, 0)),
        item_tokens=_number(found, "item_tokens", defaults.item_tokens, 1),
        deadline_s=_number(found, "deadline_s", defaults.deadline_s, MOMENT_S),
    )


def _candidates(found: dict[str, Any]) -> Sequence[Any]:
    named = found.get("candidates")
    if named is None:
        first, items = int(_number(found, "first", 0, 0)), int(_number(found, "items", None, 1))
        return range(first, first + items)
    if not isinstance(named, list) or not named or not all(isinstance(one, str | int) for one in named):
        raise ValueError("candidates: give a list of names or numbers, at least one")
    return tuple(named)


def _number(found: dict[str, Any], name: str, default: float | None, least: float) -> float:
    value = found.get(name, default)
    if value is None:
        raise ValueError(f"{name} is missing")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} is {value!r}: give a finite number")
    if value < least:
        raise ValueError(f"{name} is {value!r}: give at least {least}")
    return float(value)


def _row(request: Request) -> dict[str, Any]:
    at, traffic, query, candidates, *sizes = request
    if isinstance(candidates, range):
        asked: dict[str, Any] = {"items": len(candidates), "first": candidates.start}
    else:
        asked = {"candidates": list(candidates)}
    sized = dict(zip(("prefix_tokens", "item_tokens", "deadline_s"), sizes, strict=True))
    return {"at": at, "class": traffic.label, "query": query, **asked, **sized}
