"""Results of benchmarks that were kept, by name and table: what the paper's tables 7 to 9 are compared with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from schemas.errors import ConfigError

Rows = Sequence[Mapping[str, Any]]


class KeptBenchmarks:
    """The files `NAME.json` of a folder, as `python -m benchmarks` writes them, each read once.

    None as the folder stands for one that holds nothing. A file that is there and is no such result is a ConfigError.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._read: dict[str, Mapping[str, Any]] = {}

    def rows(self, name: str, table: str) -> Rows:
        """The rows of a benchmark's table; empty where the benchmark or that part of it was not measured."""
        rows: Rows = self._result(name).get("tables", {}).get(table, ())
        return rows

    def findings(self, name: str) -> Sequence[str]:
        """What the benchmark says of itself in sentences; empty where it was not measured."""
        found: Sequence[str] = self._result(name).get("findings", ())
        return found

    def measured_on(self, name: str) -> str:
        """Machine, date and commit in words; empty where it was not measured."""
        where = self._result(name).get("measured_on")
        if not where:
            return ""
        return (
            f"`{name}.json`: {where['cores']} cores of {where['processor']}, {where['date']}, "
            f"commit {where['commit']}, `{where['command']}`"
        )

    def _result(self, name: str) -> Mapping[str, Any]:
        if name not in self._read:
            self._read[name] = _result(self._folder / f"{name}.json") if self._folder else {}
        return self._read[name]


def row_of(rows: Rows, **wanted: object) -> Mapping[str, Any] | None:
    """The first row with these values; None where there is none."""
    return next((row for row in rows if all(row.get(k) == v for k, v in wanted.items())), None)


def _result(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is no result of a benchmark: {error}") from error
    if not isinstance(found, dict) or not {"tables", "findings", "measured_on"} <= found.keys():
        raise ConfigError(
            f"{path} is no result of a benchmark: give one that `python -m benchmarks` has written"
        )
    return found
