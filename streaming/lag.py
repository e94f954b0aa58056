"""How far consumer groups are behind their topics."""

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import CoordinatorNotAvailableError

from streaming.kafka_settings import KafkaSettings


def end_offsets(kafka: KafkaSettings, topic: str) -> dict[TopicPartition, int]:
    """The next offset of every partition of `topic`."""
    consumer = KafkaConsumer(**kafka.python(), enable_auto_commit=False)
    try:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        ends: dict[TopicPartition, int] = consumer.end_offsets(partitions)
        return ends
    finally:
        consumer.close()


def lag(kafka: KafkaSettings, group: str, topic: str) -> int:
    """Messages of `topic` that `group` has not committed yet; a partition never committed counts from 0."""
    ends = end_offsets(kafka, topic)
    admin = KafkaAdminClient(**kafka.python())
    try:
        committed = admin.list_group_offsets([group])[group]
    except CoordinatorNotAvailableError:  # the broker has never seen a group yet
        committed = {}
    finally:
        admin.close()
    return sum(end - max(0, committed[p].offset if p in committed else 0) for p, end in ends.items())
