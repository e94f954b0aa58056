"""Kafka messages as plain values, and the dead letter of a message.

The loops decide over plain values, so that their tests need no broker.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

from schemas.records import Reason
from streaming.kafka import topics

#: The header of a feature message that says why its posting may alert now.
ALERT_REASON = "alert_reason"
_REASONS = {reason.encode(): reason for reason in Reason}
#: A longer reason is cut: some decoders quote their whole input in an error message.
MAX_REASON_CHARS = 2_000
#: A longer key of a dead letter is cut; the value gets the room that the key leaves.
MAX_DEAD_KEY_BYTES = topics.DLQ_HEADROOM_BYTES // 4


class Message(NamedTuple):
    """A message as it was read. `timestamp_ms`: the broker's timestamp, in milliseconds UTC."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes] = {}


class Outgoing(NamedTuple):
    """A message to send; without a value it is a tombstone."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes] = {}


#: Header of a score request: 16 bytes that the matcher makes once, so that no second message has the same.
REQUEST_ID = "request_id"
REQUEST_ID_BYTES = 16


#: Header of a part of a score request: how many candidates the whole request had.
REQUEST_CANDIDATES = "request_candidates"


def whole_candidates(message: Message) -> int:
    """How many candidates the request had that this one is a part of; 0 if it is no part."""
    found = message.headers.get(REQUEST_CANDIDATES, b"")
    return int(found) if found.isdigit() else 0


#: Header of a part of a score request: how long the whole request had waited when it was split.
REQUEST_WAITED_MS = "request_waited_ms"


def request_waited_s(message: Message) -> float:
    """How long the request had waited in its topic that this one is a part of; 0 if it is no part."""
    found = message.headers.get(REQUEST_WAITED_MS, b"")
    return int(found) / 1000 if found.isdigit() else 0.0


def request_id(message: Message) -> bytes:
    """The id in a score request's header; empty when there is none of the right length."""
    found = message.headers.get(REQUEST_ID, b"")
    return found if len(found) == REQUEST_ID_BYTES else b""


def size_bytes(message: Outgoing) -> int:
    """An upper bound of the bytes that the message takes on the network when it is alone in its batch."""
    headers = sum(len(name.encode()) + len(value) + 10 for name, value in message.headers.items())
    return len(message.key or b"") + len(message.value or b"") + headers + 200


def alert_reason(message: Message) -> Reason:
    """What a feature message says about why its posting may alert; UNKNOWN for a sender that says nothing."""
    return _REASONS.get(message.headers.get(ALERT_REASON, b""), Reason.UNKNOWN)


def dead_letter(message: Message, reason: str) -> Outgoing:
    """The dead letter of a message: its key and bytes, cut to the topic's limit.

    The headers name the reason, the message's topic, partition and offset, and length and hash of the uncut value.
    """
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
