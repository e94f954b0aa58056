"""Dead letters: list them, show one, and send them back to the topics from which they came.

One transaction of a replay sends the original bytes and writes a marker to the dead-letter topic that names the letters
sent. So a replay that is interrupted or repeated sends every letter once; markers are kept as long as the letters.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from kafka import KafkaProducer

from schemas.errors import ConfigError, InstanceTaken
from schemas.records import DeadLetter
from streaming.kafka import clients
from streaming.kafka.admin import require_topics
from streaming.kafka.group_member import FENCED
from streaming.kafka.messages import Message, Outgoing
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.topics import DLQ
from streaming.kafka.waiting import within
from streaming.kafka.whole_topic import scan

#: All replays use this id, so that a second one, started meanwhile, fences the first at its next transaction.
TRANSACTIONAL_ID = "nearline-dlq-replay"
MARKER = "replayed"
#: kafka-python gives up the start after 60 s, and a transaction never.
OPEN_S, TRANSACTION_S = 70.0, 90.0

#: (partition, offset) within the dead-letter topic
Place = tuple[int, int]


class StoredLetter(NamedTuple):
    """A dead letter with its place in the dead-letter topic; `replayed`: whether it was sent back already."""

    partition: int
    offset: int
    at_ms: int
    replayed: bool
    letter: DeadLetter


class SentBack(NamedTuple):
    """Letters that a replay sent, letters sent back before, and letters that cannot be (cut, or without a topic)."""

    sent: int
    already: int
    unsendable: int


def letters(kafka: KafkaSettings, *, first: int = 0, last: int | None = None) -> Iterator[StoredLetter]:
    """The dead letters at offsets first..last (to the end when None), oldest first within a partition."""
    done = _done(kafka)
    for batch in scan(kafka, DLQ.name):
        yield from (stored(m, done) for m in batch if _within(m, first, last))


def letter(kafka: KafkaSettings, offset: int, *, partition: int = 0) -> StoredLetter:
    """The dead letter at one offset. ConfigError when there is none."""
    for found in letters(kafka, first=offset, last=offset):
        if found.partition == partition:
            return found
    raise ConfigError(f"no dead letter at {DLQ.name}/{partition}/{offset}; `nearline dlq list` shows them")


def replay(kafka: KafkaSettings, *, first: int = 0, last: int | None = None) -> SentBack:
    """Send the letters at offsets first..last to the topics from which they came, under their keys, each once."""
    producer = clients.producer(kafka, transactional_id=TRANSACTIONAL_ID)
    try:
        within(OPEN_S, "the start of transactions", producer.init_transactions)
        done = _done(kafka)
        total = SentBack(0, 0, 0)
        for batch in scan(kafka, DLQ.name):
            found = [stored(m, done) for m in batch if _within(m, first, last)]
            total = SentBack(*(a + b for a, b in zip(total, _send_back(kafka, producer, found), strict=True)))
        return total
    finally:
        clients.close_producer(producer)


def stored(message: Message, done: set[Place]) -> StoredLetter:
    """Read one message of the dead-letter topic; one that another system wrote has no topic to go back to."""
    place = (message.partition, message.offset)
    value, headers = message.value or b"", message.headers
    read = DeadLetter(
        reason=_text(headers, "reason") or "not written by this system",
        topic=_text(headers, "topic"),
        partition=_number(headers, "partition", -1),
        offset=_number(headers, "offset", -1),
        key=message.key,
        value=value,
        length=_number(headers, "length", len(value)),
        sha256=_text(headers, "sha256") or sha256(value).hexdigest(),
    )
    return StoredLetter(*place, message.timestamp_ms, place in done, read)


def is_whole(letter: DeadLetter) -> bool:
    """Whether the original can be sent back: nothing was cut, and its topic is known."""
    return bool(letter.topic) and len(letter.value) == letter.length


def _send_back(kafka: KafkaSettings, producer: KafkaProducer, found: Sequence[StoredLetter]) -> SentBack:
    fresh = [s for s in found if not s.replayed]
    due = [s for s in fresh if is_whole(s.letter)]
    if due:
        require_topics(kafka, tuple({s.letter.topic for s in due}))
        sent = [_original(s.letter) for s in due] + [marker(due)]
        within(TRANSACTION_S, "a transaction", lambda: _transact(producer, sent))
    return SentBack(len(due), len(found) - len(fresh), len(fresh) - len(due))


def _transact(producer: KafkaProducer, messages: Sequence[Outgoing]) -> None:
    producer.begin_transaction()
    try:
        for future in [clients.send(producer, message) for message in messages]:
            future.get(timeout=TRANSACTION_S)
        producer.commit_transaction()
    except FENCED as error:
        raise InstanceTaken(
            "another `nearline dlq replay` was started meanwhile: it goes on, this one ends"
        ) from error
    except Exception:
        producer.abort_transaction()
        raise


def _original(letter: DeadLetter) -> Outgoing:
    return Outgoing(letter.topic, letter.key, letter.value)


def marker(sent: Sequence[StoredLetter]) -> Outgoing:
    """The message that notes which letters were sent back; its header `source` tells it from an update's outcome."""
    places = " ".join(f"{s.partition}/{s.offset}" for s in sent)
    return Outgoing(DLQ.name, None, places.encode(), {MARKER: b"%d" % len(sent), "source": DLQ.name.encode()})


def places(message: Message) -> set[Place]:
    """The places of the letters that a marker names; none when the message is not a marker."""
    if MARKER not in message.headers:
        return set()
    pairs = (place.split("/") for place in (message.value or b"").decode().split())
    return {(int(partition), int(offset)) for partition, offset in pairs}


def _done(kafka: KafkaSettings) -> set[Place]:
    return {place for batch in scan(kafka, DLQ.name) for message in batch for place in places(message)}


def _within(message: Message, first: int, last: int | None) -> bool:
    inside = first <= message.offset and (last is None or message.offset <= last)
    return inside and MARKER not in message.headers


def _text(headers: Mapping[str, bytes], name: str) -> str:
    return headers.get(name, b"").decode(errors="replace")


def _number(headers: Mapping[str, bytes], name: str, default: int) -> int:
    text = _text(headers, name)
    return int(text) if text.isdecimal() else default
