"""The topics that the page watches, as they grow."""

from collections.abc import Callable
from typing import Protocol

from kafka import KafkaConsumer
from kafka.errors import KafkaError
from typing_extensions import override

from schemas.errors import BrokersUnavailable
from streaming.kafka import clients, topics
from streaming.kafka.messages import Message
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.whole_topic import WholeTopics

WATCHED = (topics.FEATURES.name, topics.ALERTS.name, topics.DLQ.name)
NEWEST = 50
"""Messages of each partition that are shown of the time before the page was opened."""
BOOTSTRAP_MS = 5_000


class Feed(Protocol):
    """Reads features, alerts and dead letters as they come."""

    def poll(self, timeout_s: float) -> list[Message]:
        """What arrives within `timeout_s`; the first calls also give the newest of before.

        Raises BrokersUnavailable while the topics cannot be read; the next call tries again.
        """
        ...

    def close(self) -> None:
        """Release the connection."""
        ...


class KafkaFeed(Feed):
    """`Feed` over a consumer of all partitions, outside any group, so that it disturbs nobody who works."""

    def __init__(self, kafka: KafkaSettings, consumer: Callable[..., KafkaConsumer] = clients.reader) -> None:
        self._kafka, self._open = kafka, consumer
        self._consumer: KafkaConsumer | None = None
        self._topics: WholeTopics | None = None

    @override
    def poll(self, timeout_s: float) -> list[Message]:
        """Connect at the first call, and again after a failure."""
        try:
            if self._topics is None:
                self._topics = self._connect()
            return self._topics.poll(timeout_s)
        except KafkaError as error:
            self.close()
            raise BrokersUnavailable(
                f"the topics of {self._kafka.bootstrap} cannot be read: {error}"
            ) from error

    @override
    def close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
        self._consumer = self._topics = None

    def _connect(self) -> WholeTopics:
        self._consumer = self._open(self._kafka, bootstrap_timeout_ms=BOOTSTRAP_MS)
        found = WholeTopics(self._consumer, WATCHED, newest=NEWEST)
        if not found.partitions:
            self.close()
            raise BrokersUnavailable(
                f"{self._kafka.bootstrap} has none of the topics {', '.join(WATCHED)}: `nearline up` creates them"
            )
        return found
