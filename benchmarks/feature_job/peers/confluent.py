"""The plain loop on confluent-kafka (librdkafka), without a framework: about the least time possible in Python."""

from collections.abc import Callable

from confluent_kafka import Consumer, KafkaException, Producer
from typing_extensions import override

from benchmarks.common.load import PARTITIONER
from benchmarks.feature_job.peers.plain import Batch, OutcomeSink, UpdateSource
from pipeline.featurize import SourceRow
from streaming.features.messages import Row
from streaming.kafka.topics import DLQ, UPDATES

#: Settings of every producer compared: all replicas acknowledge, retries make no duplicates, a short linger.
PRODUCER = {
    "acks": "all",
    "enable.idempotence": True,
    "linger.ms": 5,
    "batch.size": 128 * 1024,
    "message.max.bytes": DLQ.max_bytes,
    "queue.buffering.max.messages": 1_000_000,
    "partitioner": PARTITIONER,
}


class ConfluentSource(UpdateSource):
    """Updates by librdkafka; before partitions are revoked, `settle` is called and the polled offsets are committed."""

    def __init__(self, bootstrap: str, group: str, batch_size: int, settle: Callable[[], None]) -> None:
        self._batch_size = batch_size
        self._settle = settle
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "partition.assignment.strategy": "range",
            }
        )
        self._consumer.subscribe([UPDATES.name], on_revoke=self._revoked)

    @override
    def poll(self) -> Batch:
        """Wait up to 0.2 s for `batch_size` messages; raises KafkaException for the first one that is an error."""
        messages = self._consumer.consume(self._batch_size, timeout=0.2)
        for message in messages:
            if message.error() is not None:
                raise KafkaException(message.error())
        rows = [
            SourceRow(m.value() or b"", m.topic(), m.partition(), m.offset(), m.timestamp()[1])
            for m in messages
        ]
        return [m.key() for m in messages], rows

    @override
    def commit(self) -> None:
        """Commit the positions of the assigned partitions that have one, and wait for the broker's answer."""
        parts = self._consumer.position(self._consumer.assignment())
        if polled := [part for part in parts if part.offset >= 0]:
            self._consumer.commit(offsets=polled, asynchronous=False)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _revoked(self, _consumer: object, _parts: object) -> None:
        self._settle()
        self.commit()


class ConfluentSink(OutcomeSink):
    """Records and dead letters by librdkafka."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, **PRODUCER})
        self._errors: list[object] = []

    @override
    def send(self, message: Row) -> None:
        """Hand the message to librdkafka; while its queue is full, serve delivery reports and try again."""
        topic, key, value, headers = message
        while True:
            try:
                self._producer.produce(
                    topic, value=value, key=key, headers=headers, on_delivery=self._delivered
                )
                break
            except BufferError:
                self._producer.poll(0.1)
        self._producer.poll(0)

    @override
    def flush(self) -> None:
        """Wait without a time limit, then raise KafkaException for the first message that was refused."""
        self._producer.flush()
        if self._errors:
            raise KafkaException(self._errors[0])

    def close(self) -> None:
        """Do nothing: after `flush` no message waits."""

    def _delivered(self, error: object, _message: object) -> None:
        if error is not None:
            self._errors.append(error)
