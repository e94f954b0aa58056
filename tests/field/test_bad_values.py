"""One bad cell, line or key costs its row: a dead letter names the field, and the file goes on."""

import io
import json
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import EventError
from schemas.events import BrokenLine, parse_line, parse_search, read_events
from tests.batch.catalogs import letters, run, stored

DEEP = "[" * 900 + "]" * 900
WARD: dict[str, Any] = {"title": "Night nurse", "description": "Three nights a week on a ward."}


def around(bad: str) -> list[Any]:
    """What a stream of a sound event, the line `bad` and a sound event reads as."""
    sound = [json.dumps({"ts": "2024-03-05", "op": "add", "id": i, "posting": WARD}) for i in ("p", "q")]
    return list(read_events(io.BytesIO("\n".join((sound[0], bad, sound[1])).encode())))


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (f'{{"id": 1, "title": "Nurse", "company": {DEEP}}}', "company holds lists in lists"),
        (f'{{"id": 1, "title": "Nurse", "location": {DEEP}}}', "location holds lists in lists"),
        (f'{{"id": 1, "title": {DEEP}}}', "title holds lists in lists"),
        (f'{{"id": 1, "title": "Nurse", "remote": {DEEP}}}', "remote holds lists in lists"),
        (f'{{"id": 1, "title": "Nurse", "employment_type": {DEEP}}}', "employment_type holds lists"),
        (f'{{"id": 1, "title": "Nurse", "salary": {{"min": {DEEP}}}}}', r"salary.min holds lists"),
        (f'{{"id": 1, "title": "Nurse", "salary": {{"x": {DEEP}}}}}', r"salary.x holds lists"),
        (f'{{"id": 1, "title": "Nurse", "description": {DEEP}}}', "description must be text"),
        (f'{{"id": {DEEP}, "title": "Nurse"}}', "id must be text"),
        (f'{{"id": 1, "title": "Nurse", "posted_at": {DEEP}}}', "posted_at must be an ISO 8601 time"),
        (f'{{"id": 1, "op": {DEEP}}}', "op must be one of"),
        (f'{{"id": 1, "op": "close", "ts": {DEEP}}}', "ts must be an ISO 8601 time"),
        (f'{{"id": 1, "op": "add", "ts": "2024-01-05", "posting": {DEEP}}}', "posting must be an object"),
        (DEEP, "a line must be a JSON object"),
        ("[" * 200_000, "not a line of JSON"),
        ('{"id": 1, "title": "Nurse", "salary": {"\\ud83d": {}}}', "salary.\ufffd must be text"),
        ('{"id": 1, "op": "\\ud83d"}', "op must be one of"),
        ('{"id": 1, "op": "close", "ts": "\\ud83d"}', "ts must be an ISO 8601 time"),
        ('{"id": 1, "op": "close", "ts": "2024-01-05T10:00:00\u0660"}', "ts must be an ISO 8601 time"),
        ('{"id": 1, "title": "Nurse", "posted_at": "' + "9" * 5000 + '"}', "posted_at must be"),
        ('{"id": 1, "title": "Nurse", "salary": {"' + "k" * 100_000 + '": {}}}', "salary.k+ must be text"),
    ],
)
def test_a_bad_value_is_a_broken_line_that_names_the_field_and_the_next_line_is_read(
    bad: str, reason: str
) -> None:
    before, broken, after = around(bad)
    assert isinstance(broken, BrokenLine)
    assert (before.posting_id, after.posting_id) == ("p", "q")
    with pytest.raises(EventError, match=reason):
        parse_line(bad)
    assert len(broken.reason.encode()) < 400


@pytest.mark.parametrize(
    ("salary", "text"),
    [
        ('{"\\ud83d": "30000"}', "\ufffd 30000"),
        ('{"\\ud83d": "1", "\\ud83e": "2"}', "\ufffd 1, \ufffd 2"),
        ('{"min": 1, "a\\n b": "c"}', "from 1, a b c"),
        ('{"min": 30000, "max": 32000, "currency": "GBP", "estimated": true}', "30000-32000 GBP, estimated"),
        ('{"min": 30000, "estimated": false}', "from 30000"),
        ('{"estimated": true, "min": null}', "estimated"),
    ],
)
def test_what_a_salary_says_beside_its_amount_is_text(salary: str, text: str) -> None:
    event = parse_line(f'{{"id": 1, "title": "Nurse", "salary": {salary}}}')
    assert event.posting is not None
    assert event.posting.salary == text


@pytest.mark.parametrize("part", ["min", "max", "currency", "unit", "text"])
def test_true_is_no_amount_of_a_salary(part: str) -> None:
    with pytest.raises(EventError, match=f"salary.{part} must be text or null, not true or false"):
        parse_line(json.dumps({"id": 1, "title": "Nurse", "salary": {part: True}}))


def test_a_bad_value_of_a_search_is_an_error_that_names_the_field() -> None:
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    for name in ("query", "location", "remote", "employment_type", "threshold", "top_k"):
        with pytest.raises(EventError, match=name):
            parse_search({"id": "s", "query": "nurse", name: deep})


FAR = 253_402_300_800_000_000  # 10000-01-01 in microseconds
DATES = {
    "timestamp[us]": pa.array([FAR, 1_709_631_000_000_000, None], pa.int64()).cast(pa.timestamp("us")),
    "timestamp[s]": pa.array([FAR // 10**6, 1_709_631_000, None], pa.int64()).cast(pa.timestamp("s")),
    "timestamp[us, UTC]": pa.array([-FAR, 1_709_631_000_000_000, None], pa.int64()).cast(
        pa.timestamp("us", "UTC")
    ),
    "date32": pa.array([3_000_000, 19_787, None], pa.int32()).cast(pa.date32()),
    "broken text": pa.Array.from_buffers(
        pa.string(),
        3,
        [None, pa.array([0, 2, 12, 12], pa.int32()).buffers()[1], pa.py_buffer(b"\xff\xfe2024-03-05")],
    ),
}


def written(path: Path, column: str, values: Any) -> Path:
    rows = {"id": ["a", "b", "c"], "title": ["Nurse"] * 3, "description": ["ward"] * 3, column: values}
    pq.write_table(pa.table(rows), path)
    return path


@pytest.mark.parametrize("kind", DATES)
def test_a_cell_that_python_cannot_hold_costs_its_row_only_where_the_column_is_used(
    tmp_path: Path, kind: str
) -> None:
    report = run(tmp_path, written(tmp_path / "ignored.parquet", "valid_through", DATES[kind]))
    assert set(stored(f"lmdb://{tmp_path}/store")) == {"a", "b", "c"}
    assert letters(report) == []
    used = tmp_path / "used"
    used.mkdir()
    report = run(used, written(used / "used.parquet", "updated_at", DATES[kind]))
    assert set(stored(f"lmdb://{used}/store")) == {"b", "c"}
    (letter,) = letters(report)
    assert letter["row"] == 1
    assert letter["reason"].startswith("updated_at must be an ISO 8601 time, not a value that cannot be read")


def test_times_to_the_nanosecond_and_nested_columns_are_read(tmp_path: Path) -> None:
    nanoseconds = pa.array([1_709_631_000_123_456_789, 1, None], pa.int64()).cast(pa.timestamp("ns"))
    path = written(tmp_path / "catalog.parquet", "updated_at", nanoseconds)
    run(tmp_path, path)
    records = stored(f"lmdb://{tmp_path}/store")
    assert [records[i].content_version for i in "abc"] == [1_709_631_000_123_456, 0, 0]


def test_a_date_out_of_range_in_an_avro_file_costs_its_row_only_where_it_is_used(tmp_path: Path) -> None:
    day = {"type": "int", "logicalType": "date"}
    fields = [
        {"name": n, "type": t}
        for n, t in [("id", "string"), ("title", "string"), ("closes", day), ("posted_at", day)]
    ]
    rows = [("a", 9_000_000, 1), ("b", 1, 9_000_000), ("c", 1, 1)]
    plain = [
        {"name": n, "type": "int" if t == day else t} for n, t in [(f["name"], f["type"]) for f in fields]
    ]
    made = io.BytesIO()
    fastavro.writer(
        made,
        {"type": "record", "name": "P", "fields": plain},
        [{"id": i, "title": "Nurse", "closes": c, "posted_at": p} for i, c, p in rows],
    )
    # the same bytes under a schema of equal length that calls the numbers dates
    schema = json.dumps({"type": "record", "name": "P", "fields": fields})
    head = io.BytesIO()
    fastavro.writer(head, json.loads(schema), [])
    sync = head.getvalue()[-16:]
    block = made.getvalue()
    old_sync = block[-16:]
    body = block[block.index(old_sync) + 16 :].replace(old_sync, sync)
    path = tmp_path / "catalog.avro"
    path.write_bytes(head.getvalue() + body)
    report = run(tmp_path, path)
    assert set(stored(f"lmdb://{tmp_path}/store")) == {"a", "c"}
    (letter,) = letters(report)
    assert letter["row"] == 2
    assert letter["reason"].startswith("posted_at must be an ISO 8601 time")


def test_an_avro_record_that_is_nested_without_end_costs_its_row(tmp_path: Path) -> None:
    node = {
        "type": "record",
        "name": "Node",
        "fields": [{"name": "next", "type": ["null", "Node"], "default": None}],
    }
    schema = {
        "type": "record",
        "name": "P",
        "fields": [
            {"name": "id", "type": "string"},
            {"name": "title", "type": ["string", "null", node]},
        ],
    }
    nested: dict[str, Any] = {"next": None}
    for _ in range(100):
        nested = {"next": nested}
    path = tmp_path / "catalog.avro"
    with path.open("wb") as file:
        rows: list[dict[str, Any]] = [
            {"id": i, "title": t} for i, t in [("a", "x"), ("b", nested), ("c", "x")]
        ]
        fastavro.writer(file, schema, rows)
    report = run(tmp_path, path)
    assert set(stored(f"lmdb://{tmp_path}/store")) == {"a", "c"}
    (letter,) = letters(report)
    assert letter["reason"] == "title must be text or null, not an object"
