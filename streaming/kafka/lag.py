"""Measure lag: how many messages of a topic a consumer group has not processed yet."""

import contextlib
from collections.abc import Callable, Mapping

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import CoordinatorNotAvailableError, KafkaError
from prometheus_client import Gauge

from streaming.kafka.settings import KafkaSettings

#: Short, because the loop waits for it and a broker may be down.
LAG_TIMEOUT_MS = 1_000


def end_offsets(kafka: KafkaSettings, topic: str) -> dict[TopicPartition, int]:
    """The offset that the next message of each partition of `topic` will get."""
    consumer = KafkaConsumer(**kafka.python(), enable_auto_commit=False)
    try:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        ends: dict[TopicPartition, int] = consumer.end_offsets(partitions)
        return ends
    finally:
        consumer.close()


def committed(kafka: KafkaSettings, group: str) -> dict[TopicPartition, int]:
    """The committed offset of `group` for each partition that has one."""
    admin = KafkaAdminClient(**kafka.python())
    try:
        offsets = admin.list_group_offsets([group])[group]
    except CoordinatorNotAvailableError:  # a new broker that has had no consumer group yet
        return {}
    finally:
        admin.close()
    return {partition: max(0, entry.offset) for partition, entry in offsets.items()}


def lag(kafka: KafkaSettings, group: str, topic: str) -> int:
    """Messages of `topic` that `group` has not committed; all of a partition without a committed offset."""
    done = committed(kafka, group)
    return sum(end - done.get(partition, 0) for partition, end in end_offsets(kafka, topic).items())


#: Is told when the partitions' ends were read, and what they were.
EndsSeen = Callable[[float, Mapping[int, int]], None]


class LagMeter:
    """Sets a gauge to the lag of a consumer's partitions every `interval_s`, also of paused ones."""

    def __init__(
        self,
        consumer: KafkaConsumer,
        gauge: Gauge,
        ends_seen: EndsSeen = lambda _, __: None,
        *,
        interval_s: float = 5.0,
    ) -> None:
        self._consumer = consumer
        self._ends_seen = ends_seen
        self._gauge = gauge
        self._interval_s = interval_s
        self._next_s = 0.0

    def observe(self, now_s: float) -> None:
        """Update the gauge if `interval_s` has passed; without an answer of the broker it keeps its value."""
        if now_s < self._next_s:
            return
        self._next_s = now_s + self._interval_s
        assigned = list(self._consumer.assignment())
        with contextlib.suppress(KafkaError):
            ends = self._consumer.end_offsets(assigned, timeout_ms=LAG_TIMEOUT_MS) if assigned else {}
            self._ends_seen(now_s, {partition.partition: end for partition, end in ends.items()})
            for partition, end in ends.items():
                position = self._consumer.position(partition, timeout_ms=LAG_TIMEOUT_MS) or 0
                self._gauge.labels(str(partition.partition)).set(max(0, end - position))
