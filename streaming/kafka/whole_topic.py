"""Read whole topics outside any consumer group: all partitions, nothing committed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing

from kafka import KafkaConsumer, TopicPartition

from streaming.kafka import clients
from streaming.kafka.admin import require_topics
from streaming.kafka.messages import Message
from streaming.kafka.settings import KafkaSettings

#: Short, so that `stopped()` is asked again while a partition's broker does not answer.
POSITION_TIMEOUT_MS = 2_000

#: The next offset of each partition.
Ends = Mapping[TopicPartition, int]


class WholeTopics:
    """All partitions of some topics, from their beginning or from their present end. The caller closes `consumer`.

    A topic that the brokers do not have has no partition to read. `newest`: begin so many offsets before each
    partition's end instead.
    """

    def __init__(
        self,
        consumer: KafkaConsumer,
        names: Sequence[str],
        *,
        from_beginning: bool = True,
        newest: int | None = None,
    ) -> None:
        self._consumer = consumer
        self._partitions = [
            TopicPartition(name, number)
            for name in names
            for number in sorted(consumer.partitions_for_topic(name) or ())
        ]
        consumer.assign(self._partitions)
        if self._partitions:
            (consumer.seek_to_beginning if from_beginning else consumer.seek_to_end)(*self._partitions)
            if newest is not None:
                self._seek_to_newest(newest)

    @property
    def partitions(self) -> Sequence[TopicPartition]:
        """The partitions that are read; none where the brokers have none of the topics."""
        return self._partitions

    def ends(self) -> Ends:
        """Where the topics end now."""
        found: Ends = self._consumer.end_offsets(self._partitions)
        return found

    def settle(self) -> None:
        """Find out where reading begins: every message that comes after this call is read, from an end on too."""
        for partition in self._partitions:
            self._position(partition)

    def read_until(self, ends: Ends, stopped: Callable[[], bool] = lambda: False) -> Iterator[list[Message]]:
        """Messages in batches as they arrive, each partition in offset order, until all of `ends` are reached.

        The last batches may hold messages behind `ends`. Reading ends early when `stopped()`. The position decides,
        not the messages' offsets: control records of transactions have offsets too.
        """
        while not stopped() and any(self._position(p) < end for p, end in ends.items()):
            yield self.poll(0.2)

    def poll(self, timeout_s: float) -> list[Message]:
        """The next messages, if any arrive within `timeout_s`."""
        return clients.poll(self._consumer, timeout_s)

    def _seek_to_newest(self, number: int) -> None:
        begins = self._consumer.beginning_offsets(self._partitions)
        for partition, end in self.ends().items():
            self._consumer.seek(partition, max(begins[partition], end - number))

    def _position(self, partition: TopicPartition) -> int:
        """The next offset that is read; 0 while the broker does not say where the partition begins."""
        return self._consumer.position(partition, timeout_ms=POSITION_TIMEOUT_MS) or 0


def scan(kafka: KafkaSettings, topic: str) -> Iterator[list[Message]]:
    """The committed messages that `topic` has now, in batches, each partition in offset order.

    Raises ConfigError when the brokers do not have the topic.
    """
    require_topics(kafka, (topic,))
    with closing(clients.reader(kafka)) as consumer:
        topics = WholeTopics(consumer, (topic,))
        ends = topics.ends()
        for batch in topics.read_until(ends):
            yield [m for m in batch if m.offset < ends[TopicPartition(topic, m.partition)]]
