"""Kafka messages as plain values, so that loops need no broker to decide; and the dead letter of a bad one."""

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

from streaming.kafka import topics

#: A reason is for people: a decoder's message that quotes its input is cut here.
MAX_REASON_CHARS = 2_000
#: A dead letter's key stays whole up to here; its value fills what the source's maximum leaves.
MAX_DEAD_KEY_BYTES = topics.DLQ_HEADROOM_BYTES // 4


class Message(NamedTuple):
    """One message read. `timestamp_ms` is the topic's timestamp, milliseconds UTC."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes] = {}


class Outgoing(NamedTuple):
    """One message to write; a None value is a tombstone."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes] = {}


def size_bytes(message: Outgoing) -> int:
    """An upper bound of the message's size on the wire, alone in its batch."""
    headers = sum(len(name.encode()) + len(value) + 10 for name, value in message.headers.items())
    return len(message.key or b"") + len(message.value or b"") + headers + 200


def dead_letter(message: Message, reason: str) -> Outgoing:
    """The original bytes for the dead-letter topic; headers say why, whence, and how much it was before any cut."""
    value, key = message.value or b"", message.key
    kept_key = key if key is None else key[:MAX_DEAD_KEY_BYTES]
    headers = {
        "reason": reason[:MAX_REASON_CHARS].encode(errors="replace"),
        "topic": message.topic.encode(),
        "partition": b"%d" % message.partition,
        "offset": b"%d" % message.offset,
        "length": b"%d" % len(value),
        "sha256": sha256(value).hexdigest().encode(),
    }
    room = topics.DLQ.max_bytes - topics.DLQ_HEADROOM_BYTES - len(kept_key or b"")
    return Outgoing(topics.DLQ.name, kept_key, value[:room], headers)
