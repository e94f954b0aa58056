"""Send the events of a file to `postings.updates`, at a chosen rate, and saved searches to `searches`."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from schemas.codec import Codec
from schemas.events import BrokenLine
from schemas.records import PostingUpdate, SavedSearch
from streaming.kafka import clients, topics
from streaming.kafka.messages import Outgoing
from streaming.kafka.settings import KafkaSettings

#: The topic of each record type that a replay sends, for `open_codec`.
WRITES = {PostingUpdate: topics.UPDATES.name, SavedSearch: topics.SEARCHES.name}


@dataclass(slots=True, kw_only=True)
class ReplayProgress:
    """How many events a replay has sent so far, and how many of these were broken lines."""

    sent: int = 0
    broken: int = 0
    started_s: float = 0.0


def replay_updates(
    kafka: KafkaSettings,
    events: Iterable[PostingUpdate | BrokenLine],
    *,
    rate_per_s: float = 0.0,
    on_progress: Callable[[ReplayProgress], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    codec: Codec | None = None,
) -> ReplayProgress:
    """Send all events in order and return when the brokers have acknowledged every one.

    `rate_per_s`: most events a second; 0 means as fast as the brokers take them. A line that is not an event is sent
    as the bytes it has: the feature job decides what a dead letter is.
    """
    progress, codec = ReplayProgress(started_s=clock()), codec or Codec()
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
    """Subscribe these searches (key: search id) and return their number."""
    codec = codec or Codec()
    producer = clients.producer(kafka)
    try:
        sent = [clients.send(producer, search_message(search, codec)) for search in searches]
        producer.flush()
        return sum(1 for future in sent if future.get(30) is not None)
    finally:
        producer.close()


def search_message(search: SavedSearch, codec: Codec) -> Outgoing:
    """The message that subscribes a saved search."""
    return Outgoing(topics.SEARCHES.name, search.search_id.encode(), codec.encode(search))


def update_message(event: PostingUpdate | BrokenLine, codec: Codec) -> Outgoing:
    """The message of an event; a broken line is sent as the bytes it has."""
    if isinstance(event, BrokenLine):
        return Outgoing(topics.UPDATES.name, None, event.data)
    return Outgoing(topics.UPDATES.name, event.posting_id.encode(), codec.encode(event))


def _keep_rate(progress: ReplayProgress, rate_per_s: float, clock: Callable[[], float]) -> None:
    if rate_per_s:
        ahead_s = progress.started_s + progress.sent / rate_per_s - clock()
        if ahead_s > 0:
            time.sleep(ahead_s)
