"""Sends a stream file to `postings.updates` and saved searches to `searches`, at a chosen rate."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from schemas.codec import encode
from schemas.events import BrokenLine
from schemas.records import PostingUpdate, SavedSearch
from streaming import clients, topics
from streaming.kafka_settings import KafkaSettings
from streaming.messages import Outgoing


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
    producer = clients.producer(kafka)
    try:
        for event in events:
            _keep_rate(progress, rate_per_s, clock)
            clients.send(producer, _message(event))
            progress.sent += 1
            progress.broken += isinstance(event, BrokenLine)
            on_progress(progress)
        producer.flush()
    finally:
        producer.close()
    return progress


def send_searches(kafka: KafkaSettings, searches: Iterable[SavedSearch]) -> int:
    """Subscribe every search (key: search id); returns how many."""
    producer = clients.producer(kafka)
    try:
        sent = [clients.send(producer, _subscription(search)) for search in searches]
        producer.flush()
        return sum(1 for future in sent if future.get(30) is not None)
    finally:
        producer.close()


def _subscription(search: SavedSearch) -> Outgoing:
    return Outgoing(topics.SEARCHES.name, search.search_id.encode(), encode(search))


def _message(event: PostingUpdate | BrokenLine) -> Outgoing:
    if isinstance(event, BrokenLine):
        return Outgoing(topics.UPDATES.name, None, event.data)
    return Outgoing(topics.UPDATES.name, event.posting_id.encode(), encode(event))


def _keep_rate(progress: Replayed, rate_per_s: float, clock: Callable[[], float]) -> None:
    if rate_per_s:
        ahead_s = progress.started_s + progress.sent / rate_per_s - clock()
        if ahead_s > 0:
            time.sleep(ahead_s)
