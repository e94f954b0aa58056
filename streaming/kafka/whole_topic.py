"""A whole topic, read once from its beginning to the end that it has now."""

from collections.abc import Iterator

from kafka import TopicPartition

from streaming.kafka import clients
from streaming.kafka.admin import require_topics
from streaming.kafka.messages import Message
from streaming.kafka.settings import KafkaSettings


def scan(kafka: KafkaSettings, topic: str) -> Iterator[list[Message]]:
    """Committed messages in batches as they arrive, each partition in offset order. ConfigError without the topic."""
    require_topics(kafka, (topic,))
    consumer = clients.reader(kafka, auto_offset_reset="earliest")
    try:
        partitions = [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic))]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        while any(consumer.position(p) < ends[p] for p in partitions):
            polled = clients.poll(consumer, 0.5)
            yield [m for m in polled if m.offset < ends[TopicPartition(topic, m.partition)]]
    finally:
        consumer.close()
