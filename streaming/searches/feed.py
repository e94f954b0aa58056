"""The topic `searches` read from its beginning: what a reader needs, and the reader on Kafka."""

from collections.abc import Callable, Iterator
from typing import Protocol

from kafka import KafkaConsumer, TopicPartition
from typing_extensions import override

from streaming.kafka import clients, topics
from streaming.kafka.messages import Message


class SearchFeed(Protocol):
    """The topic `searches` from its beginning, outside any consumer group."""

    def read_to_end(self, stopped: Callable[[], bool]) -> Iterator[Message]:
        """All messages up to the end that the topic had at the call; gives up early once `stopped()`."""
        ...

    def poll(self) -> list[Message]:
        """What came since, without waiting."""
        ...


class SearchLog(SearchFeed):
    """`SearchFeed` over a consumer of every partition, outside any group."""

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        name = topics.SEARCHES.name
        self._partitions = [TopicPartition(name, p) for p in sorted(consumer.partitions_for_topic(name))]
        consumer.assign(self._partitions)
        consumer.seek_to_beginning(*self._partitions)

    @override
    def read_to_end(self, stopped: Callable[[], bool]) -> Iterator[Message]:
        """Control records of transactions have offsets too: the position says when the end is reached."""
        ends = self._consumer.end_offsets(self._partitions)
        while not stopped() and any(self._consumer.position(p) < ends[p] for p in self._partitions):
            yield from clients.poll(self._consumer, 0.2)

    @override
    def poll(self) -> list[Message]:
        return clients.poll(self._consumer, 0.0)
