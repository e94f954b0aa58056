import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import EventError
from schemas.events import (
    BrokenLine,
    parse_line,
    parse_search,
    read_events,
    read_searches,
)
from schemas.records import Op, Posting, PostingUpdate, SavedSearch
from schemas.times import instant_us
from schemas.versions import Versioner
from tests.schemas.test_fields import anything

NURSE = {"title": "Nurse", "description": "nights", "lat": 52.1}
ADD = {"ts": "2015-05-26T14:40:07-07:00", "op": "add", "id": "p-1", "posting": NURSE}


def line(**changes: Any) -> bytes:
    return json.dumps({key: value for key, value in {**ADD, **changes}.items() if value != "absent"}).encode()


def events(*lines: bytes) -> list[PostingUpdate | BrokenLine]:
    return list(read_events(io.BytesIO(b"\n".join(lines))))


def test_an_event_reads_as_the_format_says_and_unknown_fields_are_ignored() -> None:
    event = parse_line(line(commit="7e45", changed=["title"]))
    assert (event.posting_id, event.op, event.instant_us) == ("p-1", Op.ADD, 1432676407000000)
    assert event.posting == Posting(title="Nurse", description="nights")


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2018-12-27T10:50:17+0000", 1545907817000000),
        ("2018-12-27T10:50:17Z", 1545907817000000),
        ("2018-12-27 10:50:17", 1545907817000000),
        ("2018-12-27T11:50:17.000001+01:00", 1545907817000001),
        ("2018-12-27T03:50:17-0700", 1545907817000000),
        ("2018-12-27", 1545868800000000),
        ("9999-12-31T23:59:59.999999-23:59", 253402387139999999),
    ],
)
def test_times_with_any_offset_become_utc_microseconds_and_without_one_they_are_utc(
    text: str, microseconds: int
) -> None:
    assert instant_us(text, "ts") == microseconds


@pytest.mark.parametrize(
    "value", [None, 5, "", "yesterday", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", []]
)
def test_a_time_that_cannot_be_read_or_is_before_1970_is_an_error(value: Any) -> None:
    with pytest.raises(EventError, match="ts"):
        parse_line(line(ts=value))


@pytest.mark.parametrize(
    ("row", "microseconds"),
    [
        ({"updated_at": "1970-01-01T00:00:02Z", "posted_at": "1970-01-01T00:00:01Z"}, 2_000_000),
        ({"updated_at": None, "posted_at": "1970-01-01T00:00:01Z"}, 1_000_000),
        ({"posted_at": ""}, 0),
        ({}, 0),
    ],
)
def test_a_plain_posting_is_an_add_at_its_update_else_its_posting_else_zero(
    row: dict[str, Any], microseconds: int
) -> None:
    event = parse_line(json.dumps({"id": "p-1", **NURSE, **row}))
    assert (event.op, event.instant_us) == (Op.ADD, microseconds)
    assert event.posting == Posting(title="Nurse", description="nights")


@pytest.mark.parametrize("op", ["close", "remove", "open"])
def test_a_close_remove_or_open_may_lack_the_posting(op: str) -> None:
    assert parse_line(line(op=op, posting="absent")).posting is None
    assert parse_line(line(op=op, posting=None)).posting is None


def test_an_open_keeps_its_posting_and_a_close_or_remove_does_not() -> None:
    assert parse_line(line(op="open")).posting is not None
    assert parse_line(line(op="close")).posting is None
    assert parse_line(line(op="remove")).posting is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", "not a line of JSON"),
        (b"\xff\xfe{}", "not a line of JSON"),
        (b"[" * 100_000, "not a line of JSON"),
        (b"1" * 5000, "not a line of JSON"),
        (b"[]", "must be a JSON object"),
        (line(op="explode"), "op must be one of add, .*'explode'"),
        (line(op=None), "op must be one of"),
        (line(op=["add"]), "op must be one of"),
        (line(id=None), "id is missing"),
        (line(id="absent"), "id is missing"),
        (line(id=" "), "id is missing"),
        (line(id={}), "id must be text"),
        (line(posting="absent"), "posting is missing, and op add needs it"),
        (line(op="update", posting=None), "posting is missing, and op update needs it"),
        (line(posting="Nurse"), "posting must be an object"),
        (line(posting={}), "posting.title and posting.description are both"),
        (line(posting={"title": {}}), "posting.title must be text"),
        (line(posting={"title": "a", "salary": {"min": {}}}), "posting.salary.min must be text"),
        (b'{"id": "p", "title": "a", "posted_at": "soon"}', "posted_at must be an ISO 8601 time"),
    ],
)
def test_a_broken_line_is_handed_on_whole_with_its_number_and_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(EventError, match=reason):
        parse_line(data)
    good, broken, after = events(line(), data, line(ts="2016-01-01"))
    assert isinstance(broken, BrokenLine)
    assert (broken.number, broken.data) == (2, data)
    assert isinstance(good, PostingUpdate)
    assert isinstance(after, PostingUpdate)


@settings(deadline=None)
@given(
    row=st.fixed_dictionaries({}, optional=dict.fromkeys((*ADD, "title", "posted_at", "salary"), anything))
)
def test_any_json_object_is_an_event_or_an_event_error(row: dict[str, Any]) -> None:
    try:
        event = parse_line(json.dumps(row))
    except EventError:
        return
    assert event.posting_id
    assert event.instant_us >= 0


@settings(deadline=None)
@given(data=st.binary(max_size=60).filter(lambda data: b"\n" not in data))
def test_any_bytes_are_an_event_or_an_event_error(data: bytes) -> None:
    with pytest.raises(EventError):
        parse_line(data)


def test_a_number_as_id_and_a_missing_title_are_let_through() -> None:
    event = parse_line(line(id=7, posting={"title": None, "description": "x"}))
    assert (event.posting_id, event.posting) == ("7", Posting(title="", description="x"))


def test_a_megabyte_of_description_in_any_script_is_read_whole() -> None:
    text = "夜勤の看護師 " * 150_000
    (update,) = events(line(posting={"title": "Nurse", "description": text}))
    assert isinstance(update, PostingUpdate)
    assert update.posting is not None
    assert update.posting.description == text


def test_ties_within_a_posting_are_raised_in_order_and_older_events_keep_their_time() -> None:
    versioner = Versioner()
    order = [("p", 5), ("p", 5), ("q", 5), ("p", 6), ("p", 5), ("p", 3), ("p", 3)]
    lines = [b"line %d" % number for number in range(len(order))]
    versions = [versioner.version(i, us, data) for (i, us), data in zip(order, lines, strict=True)]
    assert versions == [5, 6, 5, 7, 8, 3, 4]


def test_a_line_that_comes_twice_is_the_same_event() -> None:
    first, other, again = events(line(), line(op="close"), line())
    assert first == again
    assert isinstance(other, PostingUpdate)
    assert isinstance(first, PostingUpdate)
    assert other.version == first.version + 1


@settings(deadline=None)
@given(pairs=st.lists(st.tuples(st.sampled_from("pq"), st.integers(0, 3)), max_size=20))
def test_versions_are_unique_within_a_posting_and_never_before_the_event(
    pairs: list[tuple[str, int]],
) -> None:
    versioner = Versioner()
    given_out = [(i, versioner.version(i, us, b"%d" % number), us) for number, (i, us) in enumerate(pairs)]
    assert len({(i, version) for i, version, _ in given_out}) == len(pairs)
    assert all(version >= us for _, version, us in given_out)


@pytest.mark.parametrize("packed", [False, True])
def test_plain_and_gzip_files_read_alike_and_blank_lines_are_no_events(tmp_path: Path, packed: bool) -> None:
    data = b"\xef\xbb\xbf" + line() + b"\r\n\n  \n" + line(op="close") + b"\nnonsense"
    path = tmp_path / "events"
    path.write_bytes(gzip.compress(data) if packed else data)
    found = list(read_events(path))
    assert [type(each) for each in found] == [PostingUpdate, PostingUpdate, BrokenLine]
    assert found[2] == BrokenLine(number=5, data=b"nonsense", reason=found[2].reason)  # type: ignore[union-attr]
    with path.open("rb") as file:
        assert list(read_events(file)) == found


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_gzip_file_that_breaks_off_gives_its_lines_and_then_an_error(tmp_path: Path, damage: str) -> None:
    packed = bytearray(gzip.compress(b"\n".join(line(id=f"p-{i}", note=i * 7919) for i in range(9000))))
    if damage == "cut":
        del packed[len(packed) // 2 :]
    else:
        packed[len(packed) // 2] ^= 0xFF
    path = tmp_path / "events.gz"
    path.write_bytes(packed)
    found: list[PostingUpdate | BrokenLine] = []
    with pytest.raises(EventError, match="breaks off after line"):
        found.extend(read_events(path))
    assert len(found) > 0


def test_a_saved_search_reads_with_its_defaults() -> None:
    assert parse_search({"id": "s-1", "query": " night  nurse ", "note": 1}) == SavedSearch(
        search_id="s-1", query="night nurse"
    )


def test_a_saved_search_reads_with_all_its_fields() -> None:
    row = {
        "search_id": "s-1",
        "query": "nurse",
        "location": "Leeds",
        "remote": "remote",
        "employment_type": "Part time",
        "threshold": 0.25,
        "top_k": 3,
        "must_not": ["weekends", " on  call ", "", "weekends"],
        "radius_km": 15,
        "pay_from": {"min": 13.5, "currency": "GBP", "unit": "HOUR"},
        "semantic_threshold": 0.4,
    }
    assert parse_search(row) == SavedSearch(
        search_id="s-1",
        query="nurse",
        location="Leeds",
        remote=True,
        employment_type="part-time",
        threshold=0.25,
        top_k=3,
        must_not=("weekends", "on call"),
        radius_km=15.0,
        pay_from="from 13.5 GBP per hour",
        semantic_threshold=0.4,
    )


@pytest.mark.parametrize(("value", "remote"), [(True, True), (False, False), (None, None), ("onsite", False)])
def test_a_search_wants_remote_work_does_not_or_does_not_say(value: Any, remote: bool | None) -> None:
    assert parse_search({"id": "s", "query": "", "remote": value}).remote is remote


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"search_id": ""}, "search_id is missing"),
        ({"query": {}}, "query must be text"),
        ({"threshold": 1.5}, "threshold must be a number from 0 to 1"),
        ({"threshold": float("nan")}, "threshold"),
        ({"threshold": "high"}, "threshold"),
        ({"threshold": True}, "threshold"),
        ({"top_k": -1}, "top_k must be a whole number"),
        ({"top_k": 2.5}, "top_k must be a whole number"),
        ({"top_k": 2**31}, "top_k must be a whole number"),
        ({"location": 1.0, "remote": {}}, "remote must be text"),
        ({"must_not": {}}, "must_not must be text"),
        ({"must_not": [["weekends"], [True]]}, "must_not must be text"),
        ({"radius_km": -1}, "radius_km must be a number from 0"),
        ({"radius_km": "near"}, "radius_km must be a number from 0"),
        ({"pay_from": True}, "pay_from must be text"),
        ({"pay_from": "good money"}, "pay_from names no amount"),
        ({"semantic_threshold": 1.5}, "semantic_threshold must be a number from 0 to 1"),
    ],
)
def test_a_broken_search_is_an_error_that_names_the_field_and_its_line(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    row = {"search_id": "s-1", "query": "nurse", **change}
    with pytest.raises(EventError, match=reason):
        parse_search(row)
    path = tmp_path / "searches.jsonl"
    path.write_text('{"id": "s-0", "query": "all"}\n\n' + json.dumps(row))
    with pytest.raises(EventError, match=f"line 3: .*{reason}"):
        read_searches(path)
