"""Judged pairs in Parquet: the columns of `training.judging.records.Judgement`, of which few are needed here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from schemas.errors import ConfigError
from training.judging.rows import Pair, number_of, pair_of

COLUMNS = ("query_id", "query", "posting_id", "label", "grade", "soft_label", "split", "strata")


def parquet_pairs(path: Path) -> Iterator[Pair]:
    """Pairs of a Parquet file, or of a folder of them, in file order."""
    columns, rows = _table(path)
    label = _one_of(path, columns, "label", "grade")
    named = _one_of(path, columns, "query_id", "query")
    _one_of(path, columns, "posting_id")
    numbers: dict[str, str] = {}
    for number, row in enumerate(rows, 1):
        query = row.get("query") or row[named]
        query_id = row[named] if named == "query_id" else number_of(str(query), numbers)
        head = {"query": query, "query_id": query_id, "split": row.get("split"), "strata": row.get("strata")}
        item = {"id": row["posting_id"], "grade": row[label], "soft_label": row.get("soft_label")}
        yield pair_of(f"{path}, row {number}", head, item)


def _table(path: Path) -> tuple[list[str], Iterator[dict[str, Any]]]:
    try:
        names = parquet.ParquetDataset(path).schema.names
        table = parquet.read_table(path, columns=[name for name in COLUMNS if name in names])
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ConfigError(f"{path} is not readable Parquet: {error}") from error
    rows = (row for batch in table.to_batches(max_chunksize=1024) for row in batch.to_pylist())
    return table.column_names, rows


def _one_of(path: Path, columns: Sequence[str], *names: str) -> str:
    for name in names:
        if name in columns:
            return name
    has = ", ".join(columns) or "none of ours"
    raise ConfigError(f"{path}: column {' or '.join(names)} is missing; the file has {has}")
