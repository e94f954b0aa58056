"""Judged tables in Parquet: the only module that opens them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import dataset

from schemas.errors import ConfigError
from training.judging.rows import JudgedPair, number_of, pair_of

_ROWS_AT_ONCE = 8192
PAIR_COLUMNS = ("query_id", "query", "posting_id", "label", "grade", "soft_label", "split", "strata")
"""What `parquet_pairs` reads of the columns of `training.judging.records.Judgement`; `grade` may stand for `label`."""


class ParquetRows:
    """A Parquet file, or a folder of such files, read a few thousand rows at a time."""

    def __init__(self, path: Path) -> None:
        """Raise ConfigError for what is not Parquet."""
        self._path = path
        try:
            self._data = dataset.dataset(path, format="parquet", partitioning="hive")
        except (OSError, ValueError, pa.ArrowException) as error:
            raise self._unreadable(error) from error
        self.columns: list[str] = self._data.schema.names

    def one_of(self, *names: str) -> str:
        """The first of these columns that the table has; ConfigError when it has none of them."""
        for name in names:
            if name in self.columns:
                return name
        has = ", ".join(self.columns) or "no column"
        raise ConfigError(f"{self._path}: column {' or '.join(names)} is missing; the file has {has}")

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Where each row stands (`FILE, row 1`) and its values in those of `columns` that the table has."""
        wanted, number = [name for name in columns if name in self.columns], 0
        try:
            for batch in self._data.to_batches(columns=wanted, batch_size=_ROWS_AT_ONCE):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{self._path}, row {number}", row
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> ConfigError:
        return ConfigError(f"{self._path} is not readable Parquet: {error}")


def parquet_pairs(path: Path) -> Iterator[JudgedPair]:
    """Pairs of a judged table in file order; ConfigError names a missing column or the row that is wrong."""
    table = ParquetRows(path)
    label, named = table.one_of("label", "grade"), table.one_of("query_id", "query")
    table.one_of("posting_id")
    numbers: dict[str, str] = {}
    for where, row in table.rows(PAIR_COLUMNS):
        query = row.get("query") or row[named]
        query_id = row[named] if named == "query_id" else number_of(str(query), numbers)
        head = {"query": query, "query_id": query_id, "split": row.get("split"), "strata": row.get("strata")}
        item = {"id": row["posting_id"], "grade": row[label], "soft_label": row.get("soft_label")}
        yield pair_of(where, head, item)
