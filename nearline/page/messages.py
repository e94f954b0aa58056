"""What a browser is told of the messages on the topics: postings, alerts and dead letters as plain values."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from schemas.codec import Codec
from schemas.errors import DecodeError
from schemas.records import Alert, FeatureRecord
from streaming.kafka import topics
from streaming.kafka.messages import Message, alert_reason
from streaming.tools.dead_letters import MARKER, StoredLetter, is_whole, stored

MOST_ITEMS = 40
"""Items of one event: nobody reads more at once, and a backlog of thousands must not fill a browser."""
_BEGINS = 160
REPLAYED = "replayed"
Values = Mapping[str, Any]


class Arrived(NamedTuple):
    """What came of one kind: the newest items, the oldest first, and how many there were."""

    kind: str
    items: list[Values]
    number: int


def arrived(messages: Iterable[Message], codec: Codec) -> list[Arrived]:
    """Sort messages into `postings`, `alerts` and `letters`; at most MOST_ITEMS of each are read and returned.

    `replayed`, without items, says that dead letters were sent back.
    """
    found: dict[str, list[Message]] = {}
    for message in messages:
        kind = REPLAYED if MARKER in message.headers else _KINDS[message.topic]
        found.setdefault(kind, []).append(message)
    return [
        Arrived(kind, list(_items(kind, ordered[-MOST_ITEMS:], codec)), len(ordered))
        for kind, ordered in ((kind, sorted(some, key=_when)) for kind, some in found.items())
    ]


def letter_item(one: StoredLetter) -> Values:
    """A dead letter as a browser shows it in a list."""
    letter = one.letter
    return {
        "partition": one.partition,
        "offset": one.offset,
        "at_ms": one.at_ms,
        "source": f"{letter.topic or '–'}/{letter.partition}/{letter.offset}",
        "reason": letter.reason,
        "begins": letter.value[:_BEGINS].decode(errors="replace"),
        "length": letter.length,
        "replayed": one.replayed,
        "whole": is_whole(letter),
    }


def record_item(record: FeatureRecord) -> dict[str, Any]:
    """What the list and the results say of a posting: metadata, summary, and what the summary saves."""
    return {
        "posting_id": record.posting_id,
        "title": record.title,
        "company": record.company,
        "location": record.location,
        "employment_type": record.employment_type,
        "remote": record.remote,
        "salary": record.salary,
        "state": record.state,
        "summary": record.summary,
        "tokens_before": record.input_tokens,
        "tokens_after": record.summary_tokens,
        "model": record.model,
    }


def _items(kind: str, messages: Iterable[Message], codec: Codec) -> Iterator[Values]:
    read = _READ.get(kind)
    if read is None:
        return
    for message in messages:
        try:
            yield read(message, codec)
        except DecodeError as error:
            yield {"at_ms": message.timestamp_ms, "unreadable": str(error)}


def _posting(message: Message, codec: Codec) -> Values:
    record = codec.decode(FeatureRecord, message.value or b"")
    source_ms = message.headers.get("source_ts", b"")
    return record_item(record) | {
        "outcome": message.headers.get("outcome", b"").decode(errors="replace"),
        "reason": alert_reason(message),
        "at_ms": message.timestamp_ms,
        "late_ms": message.timestamp_ms - int(source_ms) if source_ms.isdigit() else None,
    }


def _alert(message: Message, codec: Codec) -> Values:
    alert = codec.decode(Alert, message.value or b"")
    return {
        "alert_id": alert.alert_id,
        "search_id": alert.search_id,
        "posting_id": alert.posting_id,
        "query": alert.query,
        "title": alert.title,
        "company": alert.company,
        "p_yes": alert.p_yes,
        "model": alert.model,
        "reason": alert.reason,
        "at_ms": message.timestamp_ms,
        "late_ms": message.timestamp_ms - alert.updated_ms,
    }


def _letter(message: Message, _codec: Codec) -> Values:
    return letter_item(stored(message, set()))


def _when(message: Message) -> tuple[int, int, int]:
    return message.timestamp_ms, message.partition, message.offset


_KINDS = {topics.FEATURES.name: "postings", topics.ALERTS.name: "alerts", topics.DLQ.name: "letters"}
_READ = {"postings": _posting, "alerts": _alert, "letters": _letter}
