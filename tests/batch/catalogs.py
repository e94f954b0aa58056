"""Small catalogs in every format, and backfills of them in this process."""

import gzip
import io
import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet

from batch.backfill import backfill
from batch.engine import InProcess
from batch.report import Report
from batch.settings import BackfillSettings, Mode
from schemas.records import FeatureRecord
from storage.features import FeatureStore
from storage.opening import open_store

Rows = Sequence[dict[str, Any]]
_NAMES = ("id", "title", "company", "posted_at", "description")


def postings(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "id": f"p{n}",
            "title": f"Nurse {n}",
            "company": "Northern Trust",
            "posted_at": f"2024-03-{n % 28 + 1:02}T09:30:00+01:00",
            "description": f"Ward number {n}. Three nights a week on a surgical ward, parking and a pension.",
        }
        for n in range(start, start + count)
    ]


def lines(rows: Rows) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def write(path: Path, rows: Rows, *, group: int = 100) -> Path:
    """In the format that the name says; `group` rows a row group or block."""
    if path.suffix == ".parquet":
        table = pa.Table.from_pylist(list(rows))
        pyarrow.parquet.write_table(table, path, row_group_size=group)
    elif path.suffix == ".avro":
        fields = [{"name": name, "type": ["null", "string"], "default": None} for name in _NAMES]
        schema = {"type": "record", "name": "Posting", "fields": fields}
        with path.open("wb") as file:
            # a block is written when it holds about this many bytes
            fastavro.writer(file, schema, rows, sync_interval=20 * group)
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(lines(rows)))
    else:
        path.write_bytes(lines(rows))
    return path


def settings(tmp_path: Path, *catalog: Path, **fields: Any) -> BackfillSettings:
    given: dict[str, Any] = {
        "store_url": f"lmdb://{tmp_path}/store",
        "state": str(tmp_path / "state"),
        "chunk_rows": 20,
        "patience_s": 0.0,
    }
    given |= fields
    given["mode"] = Mode(given.get("mode", "all"))
    return BackfillSettings(catalog=tuple(map(str, catalog)), **given)


def run(tmp_path: Path, *catalog: Path, **fields: Any) -> Report:
    return backfill(settings(tmp_path, *catalog, **fields), InProcess(), lambda _line: None)


def stored(url: str) -> dict[str, FeatureRecord]:
    with closing(open_store(url)) as kv:
        return {record.posting_id: record for record in FeatureStore(kv).scan()}


def letters(report: Report) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path in sorted(Path(report.dead_letters).glob("*.jsonl")):
        found += [json.loads(line) for line in io.BytesIO(path.read_bytes())]
    return found
