"""Judgements as Parquet: one row a (query, posting); grades and evidence are JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from models.writing import replacing_file
from schemas.errors import ConfigError
from training.judging.records import Judgement
from training.judging.rows import pair_of

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
_ROWS_AT_ONCE = 8192


def write_judgements(path: Path, judgements: Iterable[Judgement]) -> int:
    """Write all rows into a file that replaces `path` once it is whole; return their number."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        "string": pa.string(),
        "int8": pa.int8(),
        "float": pa.float32(),
        "list<string>": pa.list_(pa.string()),
    }
    schema = pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    rows, count = iter(judgements), 0
    with replacing_file(path) as part, pq.ParquetWriter(part, schema, compression="zstd") as writer:
        while some := [_row(judgement) for judgement in islice(rows, _ROWS_AT_ONCE)]:
            writer.write_table(pa.Table.from_pylist(some, schema=schema))
            count += len(some)
    return count


def read_judgements(path: Path) -> list[Judgement]:
    """All rows in file order. ConfigError names a missing column, the row that is wrong, or a file without any row."""
    from training.judging.parquet_rows import ParquetRows

    table = ParquetRows(path)
    for name in COLUMNS:
        table.one_of(name)
    found = [_judgement(where, row) for where, row in table.rows(tuple(COLUMNS))]
    if not found:
        raise ConfigError(f"{path} holds no judgement")
    return found


def _row(judgement: Judgement) -> dict[str, Any]:
    row = {name: getattr(judgement, name) for name in COLUMNS}
    return row | {
        "grades": json.dumps(judgement.grades),
        "evidence": json.dumps(judgement.evidence, ensure_ascii=False),
        "strata": list(judgement.strata),
    }


def _judgement(where: str, row: dict[str, Any]) -> Judgement:
    item = {"id": row["posting_id"], "grade": row["label"], "soft_label": row["soft_label"]}
    pair = pair_of(where, row, item)
    try:
        grades, evidence = json.loads(row["grades"]), json.loads(row["evidence"] or "{}")
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{where}: grades or evidence are not JSON ({error})") from error
    return Judgement(
        query_id=pair.query_id,
        query=pair.query,
        posting_id=pair.posting_id,
        grades=grades,
        label=pair.label,
        soft_label=pair.soft_label,
        rationale=row["rationale"] or "",
        evidence=evidence,
        teacher=row["teacher"],
        policy=row["policy"],
        split=pair.split,
        strata=pair.strata,
    )
