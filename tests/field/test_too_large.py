"""A replay of events above the topic's limit: they are named and counted, the rest arrives, the status says so."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka.errors import KafkaError
from rich.console import Console

from nearline.cli.stream import show_left_out
from schemas.codec import Codec, decode
from schemas.errors import EventError
from schemas.events import BrokenLine, numbered_events
from schemas.records import PostingUpdate, SavedSearch
from streaming.kafka import topics
from streaming.kafka.messages import size_bytes
from streaming.tools.replay import (
    ReplayProgress,
    ReplaySettings,
    require_small,
    search_message,
    send_updates,
    update_message,
)
from tests.support.fake_kafka import FakeProducer

LIMIT = topics.UPDATES.max_bytes


def line(posting_id: str, description_bytes: int) -> str:
    posting = {"title": "Baker", "description": ("Early shifts, own oven. " * 130_000)[:description_bytes]}
    return json.dumps({"ts": "2026-03-04T05:06:07Z", "op": "add", "id": posting_id, "posting": posting})


def sent(path: Path, limit: int = LIMIT) -> tuple[FakeProducer, ReplayProgress]:
    producer = FakeProducer()
    return producer, send_updates(producer, numbered_events(path), ReplaySettings(limit=limit), codec=Codec())


def test_events_above_the_limit_are_named_by_line_and_size_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    lines = [line("a", 100), "", line("b", 2_130_000), "{broken", line("c", 3_000_000), line("d", 100)]
    path.write_text("\n".join([*lines, "x" * (LIMIT + 1)]))
    producer, progress = sent(path)
    assert [message.key for message in producer.sent] == [b"a", None, b"d"]
    assert (progress.sent, progress.acknowledged, progress.broken) == (3, 3, 1)
    assert [(each.line, each.posting_id) for each in progress.too_large] == [(3, "b"), (5, "c"), (7, "")]
    assert str(progress.too_large[0]).startswith("line 3: not sent, the event of 'b' takes 2,13")
    assert str(progress.too_large[0]).endswith("the topic at most 2,097,152")


def test_an_event_at_the_limit_is_sent_and_one_byte_more_is_not(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(line("a", 5_000))
    (event,) = [event for _, event in numbered_events(path)]
    size = size_bytes(update_message(event, Codec()))
    assert [len(sent(path, limit)[0].sent) for limit in (size, size - 1)] == [1, 0]


def test_a_broker_with_a_limit_of_its_own_decides(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join([line("a", 900), line("b", 9_000)]))
    producer, progress = sent(path, limit=4_000)
    (message,) = producer.sent
    assert decode(PostingUpdate, message.value or b"").posting_id == "a"
    assert [each.limit for each in progress.too_large] == [4_000]


def test_the_command_names_each_and_ends_with_status_one(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(line("[/b]", 3_000_000))
    _, progress = sent(path)
    console = Console(record=True, soft_wrap=True, highlight=False)
    assert show_left_out(progress, console) == 1
    said = console.export_text()
    assert "line 1: not sent, the event of '[/b]' takes 3,000," in said
    assert "1 updates not sent, too large for the topic postings.updates" in said
    assert show_left_out(ReplayProgress(), console) == 0


def breaks() -> Iterator[tuple[int, BrokenLine]]:
    yield 1, BrokenLine(number=1, data=b"x", reason="no JSON")
    raise EventError("the gzip file breaks off after line 1")


def test_a_file_that_breaks_off_delivers_what_stands_before_the_break() -> None:
    producer, progress = FakeProducer(), ReplayProgress()
    with pytest.raises(EventError):
        send_updates(producer, breaks(), ReplaySettings(), codec=Codec(), progress=progress)
    assert (len(producer.sent), progress.acknowledged) == (1, 1)


def test_an_unacknowledged_message_before_the_break_is_told_too() -> None:
    with pytest.raises(Exception, match="not acknowledged"):
        send_updates(
            FakeProducer(KafkaError("expired")),
            breaks(),
            ReplaySettings(),
            codec=Codec(),
        )


def test_a_search_above_its_topics_limit_is_named_before_any_is_sent() -> None:
    messages = [
        search_message(SavedSearch(search_id=s, query="x" * n), Codec()) for s, n in (("s", 9), ("big", 999))
    ]
    with pytest.raises(EventError, match=r"search 'big' takes 1,\d+ bytes and its topic at most 800"):
        require_small(messages, 800)
    require_small(messages, 8_000)
