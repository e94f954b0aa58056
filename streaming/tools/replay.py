"""Sends a stream file to `postings.updates` and saved searches to `searches`, at a chosen rate."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from schemas.codec import Codec
from schemas.events import BrokenLine
from schemas.records import PostingUpdate, SavedSearch
from streaming.kafka import clients, topics
from streaming.kafka.messages import Outgoing
from streaming.kafka.settings import KafkaSettings

#: What a replay writes, and where: the subjects that it needs at a schema registry.
WRITES = {PostingUpdate: topics.UPDATES.name, SavedSearch: topics.SEARCHES.name}


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
    codec: Codec | None = None,
) -> Replayed:
    """Send every event in order, at most `rate_per_s` (0: no limit); return when all are acknowledged.

    A line that is no event goes as the bytes it is: the feature job is the one that judges input.
    """
    progress, codec = Replayed(started_s=clock()), codec or Codec()
    producer = clients.producer(kafka)
    try:
        for event in events:
            _keep_rate(progress, rate_per_s, clock)
            clients.send(producer, update_message(event, codec))
            progress.sent += 1
            progress.broken += isinstance(event, BrokenLine)
            on_progress(progress)
        producer.flush()
    finally:
        producer.close()
    return progress


def send_searches(kafka: KafkaSettings, searches: Iterable[SavedSearch], codec: Codec | None = None) -> int:
    """Subscribe every search (key: search id); returns how many."""
    codec = codec or Codec()
    producer = clients.producer(kafka)
    try:
        sent = [clients.send(producer, search_message(search, codec)) for search in searches]
        producer.flush()
        return sum(1 for future in sent if future.get(30) is not None)
    finally:
        producer.close()


def search_message(search: SavedSearch, codec: Codec) -> Outgoing:
    """A saved search as the message that subscribes it."""
    return Outgoing(topics.SEARCHES.name, search.search_id.encode(), codec.encode(search))


def update_message(event: PostingUpdate | BrokenLine, codec: Codec) -> Outgoing:
    """An event as a message; a broken line as the bytes it is."""
    if isinstance(event, BrokenLine):
        return Outgoing(topics.UPDATES.name, None, event.data)
    return Outgoing(topics.UPDATES.name, event.posting_id.encode(), codec.encode(event))


def _keep_rate(progress: Replayed, rate_per_s: float, clock: Callable[[], float]) -> None:
    if rate_per_s:
        ahead_s = progress.started_s + progress.sent / rate_per_s - clock()
        if ahead_s > 0:
            time.sleep(ahead_s)
