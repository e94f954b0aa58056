"""kafka-python clients as our loops need them: manual commits, reads of committed messages only, idempotent writes.

None of them creates topics: a misspelt topic must be an error, not a new topic.
"""

import contextlib
import logging
import time
from typing import Any

from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError
from prometheus_client import Gauge

from streaming import topics
from streaming.kafka_settings import KafkaSettings
from streaming.messages import Message, Outgoing

#: The largest message that any of our clients writes is a dead letter.
MAX_REQUEST_BYTES = topics.DLQ.max_bytes
#: A broker that is down must not hold a loop up for its gauge.
LAG_TIMEOUT_MS = 1_000
RETRY_S = 0.5

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
    """A member of `group` on `topic`; with an `instance_id` a static one, which a restart does not rebalance."""
    consumer = reader(
        kafka,
        group_id=group,
        group_instance_id=instance_id or None,
        auto_offset_reset="earliest",
        max_poll_records=max_poll_records,
        session_timeout_ms=int(session_timeout_s * 1000),
        heartbeat_interval_ms=min(3000, int(session_timeout_s * 1000 / 3)),
    )
    # without the topic's metadata the first assignment would be empty, and a second rebalance follow
    consumer.partitions_for_topic(topic)
    consumer.subscribe([topic])
    return consumer


def reader(kafka: KafkaSettings, **more: Any) -> KafkaConsumer:
    """A consumer that never commits by itself and sees committed transactions only."""
    return KafkaConsumer(
        **kafka.python(),
        enable_auto_commit=False,
        isolation_level="read_committed",
        allow_auto_create_topics=False,
        fetch_max_wait_ms=100,
        **more,
    )


def producer(kafka: KafkaSettings, **more: Any) -> KafkaProducer:
    """An idempotent producer that batches what is sent within a few milliseconds."""
    return KafkaProducer(
        **kafka.python(),
        acks="all",
        linger_ms=5,
        batch_size=64 * 1024,
        max_request_size=MAX_REQUEST_BYTES,
        allow_auto_create_topics=False,
        **more,
    )


class LagMeter:
    """How many messages a consumer has before it, by partition, asked of the broker every few seconds, paused or not."""

    def __init__(self, consumer: KafkaConsumer, gauge: Gauge, *, interval_s: float = 5.0) -> None:
        self._consumer = consumer
        self._gauge = gauge
        self._interval_s = interval_s
        self._next_s = 0.0

    def observe(self, now_s: float) -> None:
        """Update the gauge when it is time; a broker that does not answer leaves it as it is."""
        if now_s < self._next_s:
            return
        self._next_s = now_s + self._interval_s
        assigned = list(self._consumer.assignment())
        with contextlib.suppress(KafkaError):
            ends = self._consumer.end_offsets(assigned, timeout_ms=LAG_TIMEOUT_MS) if assigned else {}
            for partition, end in ends.items():
                position = self._consumer.position(partition, timeout_ms=LAG_TIMEOUT_MS) or 0
                self._gauge.labels(str(partition.partition)).set(max(0, end - position))


def send(client: KafkaProducer, message: Outgoing) -> Any:
    """Hand one message to the client's buffer; returns its future."""
    return client.send(
        message.topic, key=message.key, value=message.value, headers=list(message.headers.items())
    )


def poll(consumer: KafkaConsumer, timeout_s: float) -> list[Message]:
    """What there is: partition after partition, each in offset order.

    A broker that cannot be reached is nothing to read for now: the client finds it again by itself.
    """
    try:
        return messages(consumer.poll(timeout_ms=int(timeout_s * 1000)))
    except KafkaError as error:
        if not error.retriable:
            raise
        log.warning("cannot poll: %s", error)
        time.sleep(RETRY_S)
        return []


def messages(polled: dict[Any, list[Any]]) -> list[Message]:
    """What `KafkaConsumer.poll` returned: partition after partition, each in offset order."""
    return [
        Message(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, dict(r.headers))
        for records in polled.values()
        for r in records
    ]
