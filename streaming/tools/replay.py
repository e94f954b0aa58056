"""Send the events of a file to `postings.updates`, at a chosen rate, and saved searches to `searches`."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from kafka import KafkaProducer

from schemas.codec import Codec
from schemas.errors import BrokersUnavailable, EventError
from schemas.events import BrokenLine
from schemas.records import PostingUpdate, SavedSearch
from streaming.kafka import clients, topics
from streaming.kafka.admin import largest_message
from streaming.kafka.delivery import Delivery
from streaming.kafka.messages import Outgoing, size_bytes
from streaming.kafka.settings import KafkaSettings

#: The topic of each record type that a replay sends, for `open_codec`.
WRITES = {PostingUpdate: topics.UPDATES.name, SavedSearch: topics.SEARCHES.name}

Event = PostingUpdate | BrokenLine


class TooLarge(NamedTuple):
    """An event that was not sent: its line, its posting id ("" for a broken line), its bytes and the topic's limit."""

    line: int
    posting_id: str
    size: int
    limit: int

    def __str__(self) -> str:
        what = f"the event of {self.posting_id!r}" if self.posting_id else "it"
        return f"line {self.line}: not sent, {what} takes {self.size:,} bytes and the topic at most {self.limit:,}"


@dataclass(slots=True, kw_only=True)
class ReplayProgress:
    """How many events a replay has sent so far, how many of these were broken lines, and which it left out."""

    sent: int = 0
    acknowledged: int = 0
    broken: int = 0
    too_large: list[TooLarge] = field(default_factory=list)
    started_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySettings:
    """`rate_per_s`: most events a second; 0 means as fast as the brokers take them. `limit`: a message's most bytes."""

    rate_per_s: float = 0.0
    limit: int = topics.UPDATES.max_bytes


def replay_updates(
    kafka: KafkaSettings,
    events: Iterable[tuple[int, Event]],
    *,
    rate_per_s: float = 0.0,
    on_progress: Callable[[ReplayProgress], None] = lambda _: None,
    progress: ReplayProgress | None = None,
    clock: Callable[[], float] = time.monotonic,
    codec: Codec | None = None,
) -> ReplayProgress:
    """Send all events, each with its line's number, and return when the brokers have acknowledged every one.

    See `send_updates`. The limit is what the brokers say of the topic. `progress` grows meanwhile, even if this raises.
    """
    settings = ReplaySettings(rate_per_s=rate_per_s, limit=largest_message(kafka, topics.UPDATES))
    producer = clients.producer(kafka, delivery_s=clients.LONG_DELIVERY_S)
    try:
        return send_updates(
            producer,
            events,
            settings,
            on_progress=on_progress,
            progress=progress,
            clock=clock,
            codec=codec or Codec(),
        )
    finally:
        clients.close_producer(producer)


def send_updates(
    producer: KafkaProducer,
    events: Iterable[tuple[int, Event]],
    settings: ReplaySettings,
    *,
    codec: Codec,
    on_progress: Callable[[ReplayProgress], None] = lambda _: None,
    progress: ReplayProgress | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> ReplayProgress:
    """Send all events in order and wait for their acknowledgements.

    A line that is not an event is sent as the bytes it has: the feature job decides what a dead letter is. An event
    above the limit is left out and noted in the progress; were it sent, the broker would refuse it, and the producer
    with it whatever stands behind it in its partition. Raises BrokersUnavailable, which says how many are acknowledged.
    """
    progress = ReplayProgress() if progress is None else progress
    progress.started_s = clock()
    delivery = Delivery(producer, delivery_s=clients.LONG_DELIVERY_S, clock=clock)
    try:
        for line, event in events:
            _keep_rate(progress, settings.rate_per_s, clock)
            _send(delivery, line, event, settings.limit, progress, codec)
            on_progress(progress)
        _settle(delivery, progress)
    except EventError:  # the file breaks off: what stands before the break arrives all the same
        _settle(delivery, progress)
        raise
    except BrokersUnavailable as error:
        progress.acknowledged = delivery.acknowledged
        raise BrokersUnavailable(
            f"{delivery.acknowledged} of {progress.sent} updates sent are acknowledged, then: {error}; "
            "send the file again, an update that arrives twice changes nothing"
        ) from error
    return progress


def _send(
    delivery: Delivery, line: int, event: Event, limit: int, progress: ReplayProgress, codec: Codec
) -> None:
    message = update_message(event, codec)
    if (size := size_bytes(message)) > limit:
        posting_id = "" if isinstance(event, BrokenLine) else event.posting_id
        progress.too_large.append(TooLarge(line, posting_id, size, limit))
        return
    progress.sent += 1
    progress.broken += isinstance(event, BrokenLine)
    delivery.send(message)
    progress.acknowledged = delivery.acknowledged


def _settle(delivery: Delivery, progress: ReplayProgress) -> None:
    delivery.wait()
    progress.acknowledged = delivery.acknowledged


def send_searches(kafka: KafkaSettings, searches: Iterable[SavedSearch], codec: Codec | None = None) -> int:
    """Subscribe these searches (key: search id) and return their number.

    Raises EventError before it sends any when one of them is too large for its topic, BrokersUnavailable.
    """
    codec = codec or Codec()
    messages = [search_message(search, codec) for search in searches]
    require_small(messages, largest_message(kafka, topics.SEARCHES))
    _deliver(kafka, messages)
    return len(messages)


def unsubscribe(kafka: KafkaSettings, search_id: str) -> None:
    """End a saved search by the message without a value under its id. Raises BrokersUnavailable."""
    _deliver(kafka, [Outgoing(topics.SEARCHES.name, search_id.encode(), None)])


def _deliver(kafka: KafkaSettings, messages: Iterable[Outgoing]) -> None:
    producer = clients.producer(kafka, delivery_s=clients.LONG_DELIVERY_S)
    try:
        delivery = Delivery(producer, delivery_s=clients.LONG_DELIVERY_S)
        for message in messages:
            delivery.send(message)
        delivery.wait()
    finally:
        clients.close_producer(producer)


def require_small(messages: Iterable[Outgoing], limit: int) -> None:
    """Raise EventError naming the first search that takes more than `limit` bytes."""
    for message in messages:
        if (size := size_bytes(message)) > limit:
            name = (message.key or b"").decode()
            raise EventError(f"search {name[:80]!r} takes {size:,} bytes and its topic at most {limit:,}")


def search_message(search: SavedSearch, codec: Codec) -> Outgoing:
    """The message that subscribes a saved search."""
    return Outgoing(topics.SEARCHES.name, search.search_id.encode(), codec.encode(search))


def update_message(event: Event, codec: Codec) -> Outgoing:
    """The message of an event; a broken line is sent as the bytes it has."""
    if isinstance(event, BrokenLine):
        return Outgoing(topics.UPDATES.name, None, event.data)
    return Outgoing(topics.UPDATES.name, event.posting_id.encode(), codec.encode(event))


def _keep_rate(progress: ReplayProgress, rate_per_s: float, clock: Callable[[], float]) -> None:
    if rate_per_s:
        ahead_s = progress.started_s + progress.sent / rate_per_s - clock()
        if ahead_s > 0:
            time.sleep(ahead_s)
