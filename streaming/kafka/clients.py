"""kafka-python clients with this project's settings: manual commits, reads of committed messages, idempotent writes.

No client creates topics: a misspelt topic must be an error, not a new topic.
"""

import logging
import time
from typing import Any

from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError
from kafka.structs import MemberState

from streaming.kafka import topics
from streaming.kafka.messages import Message, Outgoing
from streaming.kafka.settings import KafkaSettings

#: The largest message that a producer of this project sends is a dead letter.
MAX_REQUEST_BYTES = topics.DLQ.max_bytes
RETRY_S = 0.5
#: Five minutes by default: so long a member that a rebalance left without partitions, because its topic was being
#: created anew, would not notice that the topic is there again.
METADATA_MAX_AGE_MS = 5_000
#: A message that no broker has acknowledged by then has failed. A process that is started again sends its messages
#: again, so that it need not be patient; a command that nobody starts again is (`LONG_DELIVERY_S`, Kafka's default).
DELIVERY_S, LONG_DELIVERY_S = 60.0, 120.0
CLOSE_S = 5.0

log = logging.getLogger(__name__)


def group_consumer(
    kafka: KafkaSettings,
    topic: str,
    *,
    group: str,
    instance_id: str,
    session_timeout_s: float,
    max_poll_records: int,
) -> KafkaConsumer:
    """A member of `group` on `topic`; with an `instance_id` a static member, whose restart causes no rebalance."""
    consumer = reader(
        kafka,
        group_id=group,
        group_instance_id=instance_id or None,
        max_poll_records=max_poll_records,
        session_timeout_ms=int(session_timeout_s * 1000),
        heartbeat_interval_ms=min(3000, int(session_timeout_s * 1000 / 3)),
    )
    # Loads the topic's metadata: without it the first assignment would be empty and a second rebalance would follow.
    consumer.partitions_for_topic(topic)
    consumer.subscribe([topic])
    return consumer


def reader(kafka: KafkaSettings, **more: Any) -> KafkaConsumer:
    """A consumer that commits only when asked to and reads only messages of committed transactions.

    Where its offset is gone, because the topic was created anew or restored from an older copy, it begins at the
    earliest message: kafka-python's default is the latest, which would leave out all that was sent again.
    """
    usual: dict[str, Any] = {
        "enable_auto_commit": False,
        "isolation_level": "read_committed",
        "allow_auto_create_topics": False,
        "auto_offset_reset": "earliest",
        "fetch_max_wait_ms": 100,
        "metadata_max_age_ms": METADATA_MAX_AGE_MS,
    }
    return KafkaConsumer(**kafka.python(), **usual | more)


def producer(kafka: KafkaSettings, *, delivery_s: float = DELIVERY_S, **more: Any) -> KafkaProducer:
    """An idempotent producer that sends messages of a few milliseconds as one batch, and tries for `delivery_s`."""
    return KafkaProducer(
        **kafka.python(),
        acks="all",
        linger_ms=5,
        delivery_timeout_ms=int(delivery_s * 1000),
        batch_size=64 * 1024,
        max_request_size=MAX_REQUEST_BYTES,
        allow_auto_create_topics=False,
        **more,
    )


def send(client: KafkaProducer, message: Outgoing) -> Any:
    """Put one message into the producer's buffer; returns the future of its acknowledgement."""
    return client.send(
        message.topic, key=message.key, value=message.value, headers=list(message.headers.items())
    )


def close_producer(client: KafkaProducer) -> None:
    """Close the producer; what the brokers have not acknowledged within `CLOSE_S` is given up.

    Whoever needs the acknowledgements has waited for them before.
    """
    try:
        client.close(timeout=CLOSE_S)
    except KafkaError as error:
        log.warning("messages were given up at the end: %s", error)


def poll(consumer: KafkaConsumer, timeout_s: float) -> list[Message]:
    """The messages that arrive within `timeout_s`: partition after partition, each in offset order.

    Empty while the brokers cannot be reached: the client reconnects by itself. Raises KafkaError for an error that does
    not end by itself.
    """
    try:
        return messages(consumer.poll(timeout_ms=int(timeout_s * 1000)))
    except KafkaError as error:
        if not error.retriable:
            raise
        log.warning("cannot poll: %s", error)
        time.sleep(RETRY_S)
        return []


def is_fenced(consumer: KafkaConsumer) -> bool:
    """Whether the group has told this static member that another process joined under its name.

    kafka-python notes this answer to a heartbeat in its log, sends no heartbeat any more and polls on for ever; nothing
    that it offers tells, so that this reads a field of its own.
    """
    coordinator = getattr(consumer, "_coordinator", None)
    if coordinator is None:
        return False
    return coordinator.state is MemberState.STABLE and not coordinator._heartbeat_enabled  # noqa: SLF001


def join_again(consumer: KafkaConsumer) -> None:
    """Let the next poll join the group anew, as a member that the group has never seen.

    kafka-python does so by itself when a heartbeat or the consumer's own commit is refused, but not when the offsets of
    a transaction are; nothing that it offers asks for it, so that this calls its coordinator.
    """
    if (coordinator := getattr(consumer, "_coordinator", None)) is not None:
        coordinator.reset_generation()


def messages(polled: dict[Any, list[Any]]) -> list[Message]:
    """The records that `KafkaConsumer.poll` returned as messages, partition after partition, each in offset order."""
    return [
        Message(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, dict(r.headers))
        for records in polled.values()
        for r in records
    ]
