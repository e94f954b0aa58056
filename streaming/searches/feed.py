"""Read the topic `searches` from its beginning: the protocol, and its implementation on Kafka."""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Protocol

from kafka import KafkaConsumer
from typing_extensions import override

from streaming.kafka.messages import Message
from streaming.kafka.topics import SEARCHES
from streaming.kafka.whole_topic import WholeTopics


class SearchFeed(Protocol):
    """Reads the topic `searches` from its beginning, outside any consumer group."""

    def read_to_end(self, stopped: Callable[[], bool]) -> Iterator[Message]:
        """All messages up to the end that the topic has at the call, and perhaps newer ones; fewer once `stopped()`."""
        ...

    def poll(self) -> list[Message]:
        """The messages that have arrived since the last call, without waiting for more."""
        ...


class KafkaSearchFeed(SearchFeed):
    """`SearchFeed` over a consumer of every partition, outside any group."""

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._topic = WholeTopics(consumer, (SEARCHES.name,))

    @override
    def read_to_end(self, stopped: Callable[[], bool]) -> Iterator[Message]:
        """Ask for the ends at the call, then poll for up to 0.2 s at a time until they are reached."""
        return chain.from_iterable(self._topic.read_until(self._topic.ends(), stopped))

    @override
    def poll(self) -> list[Message]:
        """Poll the consumer once; empty while the brokers cannot be reached."""
        return self._topic.poll(0.0)
