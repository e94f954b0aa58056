"""Two postings never become one without a word: an id that lost what told it from others is a dead letter."""

import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.rows import BadRow, parse
from batch.rows_read import CatalogRow
from schemas.errors import EventError
from schemas.events import EventFormat, parse_line, parse_row, parse_search
from schemas.ids import identifier
from tests.batch.catalogs import letters, run, stored

UUIDS = [UUID(f"7f6e5d4c-3b2a-4918-8{n:03x}-f0e1d2c3b4a5") for n in range(3)]


@pytest.mark.parametrize(
    "value", [4012345, 4012345.0, "4012345", Decimal(4012345), Decimal("4012345.00"), b"4012345"]
)
def test_one_number_however_it_is_written_is_one_id(value: Any) -> None:
    assert identifier(value, "id") == "4012345"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-0.0, "0"),
        (-17.0, "-17"),
        (1e3, "1000"),
        (2.0**53 - 1, "9007199254740991"),
        (2**63, "9223372036854775808"),
        (" p-1", " p-1"),
        ("007", "007"),
        ("1.0", "1.0"),
        ("4012345.0", "4012345.0"),
        ("Å-1", "Å-1"),
        ("A\u030a-1", "A\u030a-1"),
        ("a\u200bb", "a\u200bb"),
        ("nandos-1", "nandos-1"),
        (b"job-000000000001", "job-000000000001"),
        ("夜勤".encode(), "夜勤"),
        (UUIDS[0].bytes, str(UUIDS[0])),
        (UUIDS[0], str(UUIDS[0])),
        (bytes(range(240, 256)), "f0f1f2f3-f4f5-f6f7-f8f9-fafbfcfdfeff"),
    ],
)
def test_an_id_that_tells_itself_from_others_is_taken(value: Any, text: str) -> None:
    assert identifier(value, "id") == text


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "id is missing or blank"),
        ("", "id is missing or blank"),
        ("\t ", "id is missing or blank"),
        (b"", "id is missing or blank"),
        (float("nan"), "id is missing: nan"),
        (float("inf"), "id is missing: inf"),
        (Decimal("NaN"), "id is missing: NaN"),
        (Decimal("sNaN"), "id is missing: sNaN"),
        ("nan", "id is missing: 'nan' stands for no value"),
        (" NaN ", "id is missing: 'NaN'"),
        ("None", "id is missing: 'None'"),
        ("null", "id is missing"),
        ("<NA>", "id is missing"),
        ("NaT", "id is missing"),
        (True, "id must be text or a whole number, not true or false"),
        (False, "id must be text or a whole number, not true or false"),
        (12.5, "id must be text or a whole number, not 12.5"),
        (Decimal("0.1"), "id must be text or a whole number"),
        (2.0**53, "id 9007199254740992.0 is a floating-point number above 2"),
        (-1e300, "id -1e.300 is a floating-point number above 2"),
        (Decimal("1E+999999"), "id is a number of more than 100 digits"),
        ("a\ud83d", "id holds half a surrogate pair"),
        (b"\xff\xfe\x01", "id is 3 bytes that are neither text nor a UUID"),
        (b"\x65\x0a\x00\x01abcdefgh", "id is 12 bytes that are neither"),
        (bytes(8), "id is 8 bytes"),
        (["a"], "id must be text"),
        ({"$oid": "65"}, "id must be text or null, not an object"),
    ],
)
def test_an_id_that_does_not_is_an_error_that_says_why(value: Any, reason: str) -> None:
    with pytest.raises(EventError, match=reason):
        identifier(value, "id")


@given(
    st.lists(
        st.one_of(
            st.text(st.characters()),
            st.integers(),
            st.floats(),
            st.binary(max_size=20),
            st.binary(min_size=16, max_size=16),
            st.decimals(),
            st.uuids(),
        ),
        max_size=12,
    )
)
def test_values_that_become_one_id_are_one_number_or_one_text(values: list[Any]) -> None:
    found: dict[str, Any] = {}
    for value in values:
        try:
            said = identifier(value, "id")
        except EventError:
            continue
        assert said.encode().decode() == said
        assert said.strip()
        kin = found.setdefault(said, value)
        assert type(kin) is not type(value) or kin == value


def test_half_a_pair_in_an_id_is_a_dead_letter_while_a_whole_one_is_text() -> None:
    with pytest.raises(EventError, match="id holds half"):
        parse_line(b'{"id": "p-\\ud83d", "title": "Nurse"}')
    assert parse_line(b'{"id": "p-\\ud83d\\ude00", "title": "Nurse"}').posting_id == "p-😀"


def test_nan_says_nothing_in_any_field_and_a_search_needs_an_id_too() -> None:
    row = b'{"id": 7, "title": "Nurse", "company": NaN, "location": Infinity, "salary": 1e999, "updated_at": NaN}'
    event = parse_line(row)
    assert event.posting is not None
    assert (event.posting.company, event.posting.location, event.posting.salary) == (None, None, None)
    assert event.instant_us == 0
    assert parse_search({"id": 3.0, "query": "nurse", "location": float("nan")}).search_id == "3"
    with pytest.raises(EventError, match="search_id is missing"):
        parse_search({"id": float("nan"), "query": "nurse"})


def table(ids: Any) -> pa.Table:
    titles = [f"Nurse {n}" for n in range(len(ids))]
    return pa.table({"id": ids, "title": titles, "description": ["three nights a week"] * len(ids)})


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (pa.array([u.bytes for u in UUIDS], pa.binary(16)), {str(u) for u in UUIDS}),
        (pa.array([u.bytes for u in UUIDS]), {str(u) for u in UUIDS}),
        (pa.array([b"a-1", b"a-2", b"a-3"]), {"a-1", "a-2", "a-3"}),
        (pa.array([b"\xff1", b"\xff2", b"\xff3"]), set()),
        (pa.array([4012345.0, None, 4012346.0]), {"4012345", "4012346"}),
        (pa.array([2.0**60, 2.0**60 + 2**10, 1.5]), set()),
        (pa.array([Decimal("7.00"), Decimal("8.00"), None], pa.decimal128(9, 2)), {"7", "8"}),
        (pa.array([True, False, None]), set()),
        (pa.array(["nan", "None", "x"]), {"x"}),
    ],
)
def test_ids_of_a_parquet_catalog_are_postings_or_dead_letters_one_by_one(
    tmp_path: Path, ids: Any, expected: set[str]
) -> None:
    path = tmp_path / "catalog.parquet"
    pq.write_table(table(ids), path)
    report = run(tmp_path, path)
    assert set(stored(f"lmdb://{tmp_path}/store")) == expected
    found = letters(report)
    assert len(found) == len(ids) - len(expected)
    assert all(letter["reason"].startswith("id ") for letter in found)
    # letters of different rows tell them apart
    assert len({letter["data"] for letter in found}) == len(found)


def test_uuids_of_an_avro_catalog_are_text(tmp_path: Path) -> None:
    fields: list[dict[str, Any]] = [
        {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "title", "type": "string"},
    ]
    path = tmp_path / "catalog.avro"
    with path.open("wb") as file:
        rows: Iterable[dict[str, Any]] = [{"id": u, "title": "Nurse"} for u in UUIDS]
        fastavro.writer(file, {"type": "record", "name": "P", "fields": fields}, rows)
    run(tmp_path, path)
    assert set(stored(f"lmdb://{tmp_path}/store")) == {str(u) for u in UUIDS}


def test_a_prefix_or_a_source_field_tells_the_ids_of_two_sources_apart() -> None:
    row = {"id": 17, "title": "Nurse", "feed": "a:b"}

    def ids(how: EventFormat, *rows: dict[str, Any]) -> list[str]:
        return [parse_row(row, how).posting_id for row in rows]

    assert ids(EventFormat(id_prefix="nhs-"), row) == ["nhs-17"]
    by_feed = EventFormat(source_field="feed")
    rows = [row, {**row, "feed": "a", "id": "b:17"}, {**row, "feed": "a%3Ab"}, {**row, "feed": 7.0}]
    assert ids(by_feed, *rows) == ["a%3Ab:17", "a:b:17", "a%253Ab:17", "7:17"]
    for missing in (None, "", float("nan")):
        with pytest.raises(EventError, match="feed is missing"):
            parse_row({**row, "feed": missing}, by_feed)
    event = {"ts": "2024-01-05", "op": "close", "id": 17, "feed": "a"}
    assert ids(by_feed, event) == ["a:17"]


@pytest.mark.parametrize("as_data", [lambda row: json.dumps(row).encode(), lambda row: row])
def test_a_row_of_a_source_reads_alike_in_every_format(as_data: Callable[[dict[str, Any]], Any]) -> None:
    how = EventFormat(source_field="feed", id_prefix="x-")
    event = parse(CatalogRow(1, as_data({"id": 5.0, "title": "Nurse", "feed": "a"})), how)
    assert not isinstance(event, BadRow)
    assert event.posting_id == "a:x-5"
