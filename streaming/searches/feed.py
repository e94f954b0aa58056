"""Read the topic `searches` from its beginning: the protocol, and its implementation on Kafka."""

import logging
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Protocol

from kafka import KafkaConsumer
from typing_extensions import override

from streaming.kafka.messages import Message
from streaming.kafka.topic_watch import differs
from streaming.kafka.topics import SEARCHES
from streaming.kafka.whole_topic import WholeTopics

log = logging.getLogger(__name__)


class SearchFeed(Protocol):
    """Reads the topic `searches` from its beginning, outside any consumer group."""

    def read_to_end(self, stopped: Callable[[], bool]) -> Iterator[Message]:
        """All messages up to the end that the topic has at the call, and perhaps newer ones; fewer once `stopped()`."""
        ...

    def poll(self) -> list[Message]:
        """The messages that have arrived since the last call, without waiting for more."""
        ...

    def times_begun(self) -> int:
        """How often the feed has begun at the topic's first message.

        More than once when the topic was created anew or lost its end: what it said before is void, and `poll` returns
        all of its messages from then on.
        """
        ...


class KafkaSearchFeed(SearchFeed):
    """`SearchFeed` over a consumer of every partition, outside any group.

    `topic_id`: the topic's id now, "" if unknown.
    """

    def __init__(self, consumer: KafkaConsumer, topic_id: Callable[[], str] = lambda: "") -> None:
        self._consumer = consumer
        self._topic_id = topic_id
        self._begun = 0
        self._id = ""
        self._next: dict[int, int] = {}
        self._begin()

    @override
    def read_to_end(self, stopped: Callable[[], bool]) -> Iterator[Message]:
        """Ask for the ends at the call, then poll for up to 0.2 s at a time until they are reached."""
        for message in chain.from_iterable(self._topic.read_until(self._topic.ends(), stopped)):
            self._next[message.partition] = message.offset + 1
            yield message

    @override
    def poll(self) -> list[Message]:
        """Poll the consumer once; empty while the brokers cannot be reached."""
        now = self._topic_id()
        if differs(self._id, now) and self._consumer.partitions_for_topic(SEARCHES.name):
            self._begin()
        self._id = self._id or now
        messages = self._topic.poll(0.0)
        if any(message.offset < self._next.get(message.partition, 0) for message in messages):
            self._begin()
            return []
        self._next.update({message.partition: message.offset + 1 for message in messages})
        return messages

    @override
    def times_begun(self) -> int:
        """The topic's id has changed, or a message stood before one that was read already."""
        return self._begun

    def _begin(self) -> None:
        if self._begun:
            log.warning(
                "topic %s was created anew or lost its end: reading it from the beginning", SEARCHES.name
            )
        self._topic = WholeTopics(self._consumer, (SEARCHES.name,))
        self._next.clear()
        self._id = self._topic_id()
        self._begun += 1
