"""Sends a stream file to `postings.updates` and saved searches to `searches`, at a chosen rate."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kafka import KafkaProducer

from schemas.codec import encode
from schemas.events import BrokenLine
from schemas.records import PostingUpdate, SavedSearch
from streaming import topics
from streaming.kafka_settings import KafkaSettings


@dataclass(slots=True, kw_only=True)
class Replayed:
    """How far a replay has come."""

    sent: int = 0
    broken: int = 0
    started_s: float = 0.0


def replay_updates(
    kafka: KafkaSettings,
    events: Iterable[PostingUpdate | BrokenLine],
    *,
    rate_per_s: float = 0.0,
    on_progress: Callable[[Replayed], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> Replayed:
    """Send every event in order, at most `rate_per_s` (0: as fast as the broker takes them); returns when all are acknowledged.

    A line that is no event goes as the bytes it is: the feature job is the one that judges input.
    """
    progress = Replayed(started_s=clock())
    producer = _producer(kafka)
    try:
        for event in events:
            _keep_rate(progress, rate_per_s, clock)
            key, value = _message(event)
            producer.send(topics.UPDATES.name, key=key, value=value)
            progress.sent += 1
            progress.broken += isinstance(event, BrokenLine)
            on_progress(progress)
        producer.flush()
    finally:
        producer.close()
    return progress


def send_searches(kafka: KafkaSettings, searches: Iterable[SavedSearch]) -> int:
    """Subscribe every search (key: search id); returns how many."""
    producer = _producer(kafka)
    try:
        sent = [
            producer.send(topics.SEARCHES.name, key=search.search_id.encode(), value=encode(search))
            for search in searches
        ]
        producer.flush()
        return sum(1 for future in sent if future.get(30) is not None)
    finally:
        producer.close()


def _producer(kafka: KafkaSettings) -> KafkaProducer:
    return KafkaProducer(
        **kafka.python(),
        acks="all",
        linger_ms=5,
        max_request_size=topics.UPDATES.max_bytes,
        compression_type=None,
    )


def _message(event: PostingUpdate | BrokenLine) -> tuple[bytes | None, bytes]:
    return (None, event.data) if isinstance(event, BrokenLine) else (event.posting_id.encode(), encode(event))


def _keep_rate(progress: Replayed, rate_per_s: float, clock: Callable[[], float]) -> None:
    if rate_per_s:
        ahead_s = progress.started_s + progress.sent / rate_per_s - clock()
        if ahead_s > 0:
            time.sleep(ahead_s)
