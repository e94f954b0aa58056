"""Judgements as Parquet: one row a (query, posting); grades and evidence are JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from schemas.errors import ConfigError
from training.judging.records import MAX_GRADE, JudgedQuery, Judgement

COLUMNS = {
    "query_id": "string",
    "query": "string",
    "posting_id": "string",
    "grades": "string",
    "label": "int8",
    "soft_label": "float",
    "rationale": "string",
    "evidence": "string",
    "teacher": "string",
    "policy": "string",
    "split": "string",
    "strata": "list<string>",
}
_FOR_QUERIES = ("query_id", "query", "posting_id", "label", "soft_label", "split", "strata")
_ROWS_AT_ONCE = 8192


def write_judgements(path: Path, judgements: Iterable[Judgement]) -> int:
    """Write all rows, then put the file in place at once; the number of rows. The file before stays on any error."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        "string": pa.string(),
        "int8": pa.int8(),
        "float": pa.float32(),
        "list<string>": pa.list_(pa.string()),
    }
    schema = pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    rows, count = iter(judgements), 0
    try:
        with pq.ParquetWriter(part, schema, compression="zstd") as writer:
            while some := [_row(judgement) for judgement in islice(rows, _ROWS_AT_ONCE)]:
                writer.write_table(pa.Table.from_pylist(some, schema=schema))
                count += len(some)
        os.replace(part, path)  # noqa: PTH105 - atomic, over an existing file
    except OSError as error:
        msg = f"{path} cannot be written: {error}; what stood there before stands there still"
        raise ConfigError(msg) from error
    finally:
        part.unlink(missing_ok=True)
    return count


def read_judgements(path: Path) -> Iterator[Judgement]:
    """All rows in file order; ConfigError names the file and the column or row that is wrong."""
    for number, row in enumerate(_rows(path, tuple(COLUMNS))):
        _check(path, number, row)
        try:
            row |= {"grades": json.loads(row["grades"]), "evidence": json.loads(row["evidence"] or "{}")}
        except ValueError as error:
            msg = f"{path}, row {number}: grades or evidence are not JSON ({error})"
            raise ConfigError(msg) from error
        yield Judgement(**row | {"strata": tuple(row["strata"] or ())})


def read_judged(path: Path) -> list[Judgement]:
    """All rows at once; ConfigError, besides what `read_judgements` refuses, for a file without any."""
    judgements = list(read_judgements(path))
    if not judgements:
        msg = f"{path} holds no judgement"
        raise ConfigError(msg)
    return judgements


def read_queries(path: Path) -> list[JudgedQuery]:
    """The judged queries in the order of their first rows, each with its items in file order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for number, row in enumerate(_rows(path, _FOR_QUERIES)):
        _check(path, number, row)
        found.setdefault(row["query_id"], []).append(row)
    if not found:
        msg = f"{path} holds no judgement: judge some queries first (`nearline train judge`)"
        raise ConfigError(msg)
    return [_query(rows) for rows in found.values()]


def _query(rows: Sequence[dict[str, Any]]) -> JudgedQuery:
    return JudgedQuery(
        query_id=rows[0]["query_id"],
        query=rows[0]["query"],
        posting_ids=tuple(row["posting_id"] for row in rows),
        labels=tuple(row["label"] for row in rows),
        soft_labels=tuple(row["soft_label"] for row in rows),
        split=rows[0]["split"],
        strata=tuple(rows[0]["strata"] or ()),
    )


def _row(judgement: Judgement) -> dict[str, Any]:
    row = {name: getattr(judgement, name) for name in COLUMNS}
    return row | {
        "grades": json.dumps(judgement.grades),
        "evidence": json.dumps(judgement.evidence, ensure_ascii=False),
        "strata": list(judgement.strata),
    }


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            missing = [name for name in columns if name not in file.schema_arrow.names]
            if missing:
                msg = (
                    f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)} of a judged file"
                )
                raise ConfigError(msg)
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=list(columns)):
                yield from batch.to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        msg = f"{path} cannot be read as Parquet: {error}"
        raise ConfigError(msg) from error


def _check(path: Path, number: int, row: dict[str, Any]) -> None:
    label, soft = row["label"], row["soft_label"]
    if label is None or not 0 <= label <= MAX_GRADE:
        msg = f"{path}, row {number}: the label {label} is not a grade of 0 to {MAX_GRADE}"
        raise ConfigError(msg)
    if soft is None or not 0 <= soft <= 1:
        msg = f"{path}, row {number}: the soft label {soft} is not within 0 and 1"
        raise ConfigError(msg)
