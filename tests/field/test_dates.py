"""A date is read in the order that a setting names, never by a guess; events of one instant keep the file's order."""

import io
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.ranker import LexicalRanker
from models.summarizer import InstantSummarizer
from pipeline.local import LocalPath
from schemas.errors import EventError
from schemas.events import BrokenLine, EventFormat, parse_row, read_events
from schemas.records import Outcome, PostingUpdate, State
from schemas.times import DateOrder, instant_us
from schemas.versions import Versioner
from storage.memory import MemoryStore
from tests.support import data
from tests.support.data import needs_data

DMY, MDY, YMD = DateOrder.DMY, DateOrder.MDY, DateOrder.YMD


@pytest.mark.parametrize(
    ("order", "text", "same_as"),
    [
        (DMY, "05/01/2004", "2004-01-05"),
        (MDY, "05/01/2004", "2004-05-01"),
        (YMD, "2004/01/05", "2004-01-05"),
        (DMY, "5.1.2004", "2004-01-05"),
        (DMY, "31-12-2004", "2004-12-31"),
        (MDY, "4/5/23", "2023-04-05"),
        (YMD, "23/4/5", "2023-04-05"),
        (DMY, "1/1/69", None),
        (DMY, "1/1/68", "2068-01-01"),
        (DMY, "1/1/70", "1970-01-01"),
        (DMY, "05/01/2004 13:45", "2004-01-05T13:45"),
        (DMY, "05/01/2004T13:45:10+02:00", "2004-01-05T13:45:10+02:00"),
        (MDY, "01/05/2004, 24:00", "2004-01-06"),
        (DMY, "2004-01-05", "2004-01-05"),
        (MDY, "2004-01-05T10:00:00Z", "2004-01-05T10:00:00Z"),
        (None, " 2004-01-05 ", "2004-01-05"),
    ],
)
def test_a_date_is_read_in_its_order_and_iso_always_as_iso(
    order: DateOrder | None, text: str, same_as: str | None
) -> None:
    if same_as is None:
        with pytest.raises(EventError, match="before 1970"):
            instant_us(text, "posted_at", order)
    else:
        assert instant_us(text, "posted_at", order) == instant_us(same_as, "posted_at")


@pytest.mark.parametrize(
    "text", ["05/01/2004", "5.1.2004", "4/5/23", "2004/01/05", "13/25/2004", "05/01/2004 10:00"]
)
def test_without_the_option_such_a_date_is_an_error_that_names_it(text: str) -> None:
    with pytest.raises(EventError, match=r"posted_at must be .*--date-order dmy, mdy or ymd says how"):
        instant_us(text, "posted_at")


@pytest.mark.parametrize(
    ("order", "text"),
    [
        (DMY, "01/13/2004"),
        (MDY, "13/01/2004"),
        (DMY, "2004/01/05"),
        (YMD, "05/01/2004"),
        (DMY, "5/1/004"),
        (DMY, "0/0/2004"),
        (DMY, "30/02/2004"),
        (DMY, "05/01.2004"),
        (DMY, "05/01/2004 noon"),
        (DMY, "٠٥/01/2004"),
    ],
)
def test_a_date_that_does_not_fit_the_order_is_an_error(order: DateOrder, text: str) -> None:
    with pytest.raises(EventError, match="posted_at must be"):
        instant_us(text, "posted_at", order)


def test_the_order_holds_for_every_time_of_a_line_and_is_not_needed_for_none() -> None:
    how = EventFormat(date_order=DMY)
    row: dict[str, Any] = {"id": "p", "title": "Nurse"}
    january = instant_us("2004-01-05", "ts")
    assert parse_row({**row, "posted_at": "05/01/2004"}, how).instant_us == january
    assert parse_row({**row, "updated_at": "05/01/2004", "posted_at": "?"}, how).instant_us == january
    assert parse_row({"id": "p", "op": "close", "ts": "05/01/2004"}, how).instant_us == january
    assert parse_row(row, how).instant_us == 0


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("2024-02-28T24:00", "2024-02-29"),
        ("2024-02-29T24:00:00Z", "2024-03-01T00:00:00Z"),
        ("2024-12-31 24:00:00.000+01:00", "2025-01-01T00:00:00+01:00"),
        ("20241231T240000", "2025-01-01"),
    ],
)
def test_24_00_is_the_end_of_its_day(text: str, same_as: str) -> None:
    assert instant_us(text, "ts") == instant_us(same_as, "ts")


@pytest.mark.parametrize(
    "text",
    ["2024-12-31T24", "2024-12-31T24:01", "2024-12-31T24:00:01", "2024-12-31T25:00", "9999-12-31T24:00"],
)
def test_any_other_time_after_the_end_of_a_day_is_an_error(text: str) -> None:
    with pytest.raises(EventError, match="ts must be an ISO 8601 time"):
        instant_us(text, "ts")


@needs_data("postings_general.jsonl.gz")
def test_of_the_real_postings_none_is_lost_for_its_date_once_the_order_of_its_source_is_named() -> None:
    events = read_events(data.FOLDER / "postings_general.jsonl.gz")
    lost = [line for line in events if isinstance(line, BrokenLine)]
    assert len(lost) == 1_134
    assert all("--date-order" in line.reason for line in lost)
    armenian = [line.data for line in lost if b'"careercenter_am' in line.data]
    american = [line.data for line in lost if b'"careercenter_am' not in line.data]
    for lines, order in ((armenian, DMY), (american, MDY)):
        read = list(read_events(io.BytesIO(b"\n".join(lines)), EventFormat(date_order=order)))
        assert [line for line in read if isinstance(line, BrokenLine)] == []


def test_thousands_of_events_of_one_posting_at_one_instant_take_a_moment() -> None:
    versioner, began = Versioner(), time.process_time()
    versions = [versioner.version("p", 5, b"%d" % n) for n in range(50_000)]
    # the quadratic way takes more than a minute for so many
    assert time.process_time() - began < 5
    assert versions == list(range(5, 50_005))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), max_size=40))
def test_versions_are_those_of_a_search_for_the_next_free_microsecond(events: list[tuple[int, int]]) -> None:
    versioner, used, first = Versioner(), set[int](), dict[tuple[int, int], int]()
    for instant, number in events:
        at = instant
        while at in used and (instant, number) not in first:
            at += 1
        used.add(first.setdefault((instant, number), at))
        line = f"{instant} {number}".encode()
        assert versioner.version("p", instant, line) == first[instant, number]


def folded(*lines: dict[str, Any]) -> tuple[list[Outcome], State]:
    local = LocalPath(MemoryStore(lambda: 0.0), InstantSummarizer(), LexicalRanker())
    events = list(read_events(io.BytesIO("\n".join(map(json.dumps, lines)).encode())))
    assert all(isinstance(event, PostingUpdate) for event in events)
    outcomes = [row.outcome for row in local.push(events)]
    (record,) = local.features.scan()
    return outcomes, record.state


def test_a_line_repeated_after_a_removal_is_a_duplicate_and_one_that_differs_opens_the_posting_again() -> (
    None
):
    nurse = {"title": "Night nurse", "description": "three nights a week"}
    add = {"ts": "2024-03-05", "op": "add", "id": "h", "posting": nurse}
    remove = {"ts": "2024-03-05", "op": "remove", "id": "h"}
    outcomes, state = folded(add, remove, add)
    # byte for byte the line that came before: nobody can tell it from a file that was sent twice
    assert (outcomes[2], state) == (Outcome.UNCHANGED, State.REMOVED)
    assert folded(add, remove, {**add, "ts": "2024-03-05T00:00:00Z"})[1] is State.OPEN
    assert folded(add, remove, {**add, "ts": "2024-03-06"})[1] is State.OPEN
