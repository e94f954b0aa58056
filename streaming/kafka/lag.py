"""How far consumer groups are behind their topics."""

import contextlib

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import CoordinatorNotAvailableError, KafkaError
from prometheus_client import Gauge

from streaming.kafka.settings import KafkaSettings

#: A broker that is down must not hold a loop up for its gauge.
LAG_TIMEOUT_MS = 1_000


def end_offsets(kafka: KafkaSettings, topic: str) -> dict[TopicPartition, int]:
    """The next offset of every partition of `topic`."""
    consumer = KafkaConsumer(**kafka.python(), enable_auto_commit=False)
    try:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        ends: dict[TopicPartition, int] = consumer.end_offsets(partitions)
        return ends
    finally:
        consumer.close()


def committed(kafka: KafkaSettings, group: str) -> dict[TopicPartition, int]:
    """The next offset that `group` would read of each partition it has committed."""
    admin = KafkaAdminClient(**kafka.python())
    try:
        offsets = admin.list_group_offsets([group])[group]
    except CoordinatorNotAvailableError:  # the broker has never seen a group yet
        return {}
    finally:
        admin.close()
    return {partition: max(0, entry.offset) for partition, entry in offsets.items()}


def lag(kafka: KafkaSettings, group: str, topic: str) -> int:
    """Messages of `topic` that `group` has not committed yet; a partition never committed counts from 0."""
    done = committed(kafka, group)
    return sum(end - done.get(partition, 0) for partition, end in end_offsets(kafka, topic).items())


class LagMeter:
    """Messages that a consumer has not read, by partition: the broker is asked every few seconds, also when paused."""

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
