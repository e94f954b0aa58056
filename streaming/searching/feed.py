"""New feature records as they are written: the protocol, and its implementation on the topic `postings.features`."""

from collections.abc import Callable
from typing import Protocol

from kafka import KafkaConsumer
from typing_extensions import override

from streaming.kafka.messages import Message
from streaming.kafka.topic_watch import differs
from streaming.kafka.topics import FEATURES
from streaming.kafka.whole_topic import WholeTopics


class FeatureFeed(Protocol):
    """Reads `postings.features` of all partitions, outside any group: each process holds all postings."""

    def begin(self) -> None:
        """Note where the topic ends now. `poll` returns what comes after; what came before stands in the store."""
        ...

    def poll(self, timeout_s: float) -> list[Message]:
        """The messages that arrived since the last call, or arrive within `timeout_s`."""
        ...

    def is_broken(self) -> bool:
        """Whether messages may be missed, because the topic was created anew: begin again, then read the store."""
        ...


class KafkaFeatureFeed(FeatureFeed):
    """`FeatureFeed` over a consumer that is in no group. `topic_id`: the topic's id now, "" if unknown."""

    def __init__(self, consumer: KafkaConsumer, topic_id: Callable[[], str] = lambda: "") -> None:
        self._consumer, self._topic_id = consumer, topic_id
        self._id = ""

    @override
    def begin(self) -> None:
        """Assign all partitions from their present ends."""
        self._id = self._topic_id()
        self._topic = WholeTopics(self._consumer, (FEATURES.name,), from_beginning=False)
        self._topic.settle()

    @override
    def poll(self, timeout_s: float) -> list[Message]:
        """Poll the consumer once; empty while the brokers cannot be reached."""
        return self._topic.poll(timeout_s)

    @override
    def is_broken(self) -> bool:
        """Whether the topic's id has changed."""
        now = self._topic_id()
        if not self._id:
            self._id = now
        return differs(self._id, now)
