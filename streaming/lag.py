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
