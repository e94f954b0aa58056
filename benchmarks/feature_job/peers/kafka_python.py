"""The plain loop on kafka-python, with the client settings of this project's processes."""

from typing import Any

from typing_extensions import override

from benchmarks.feature_job.peers.plain import Batch, OutcomeSink, UpdateSource
from pipeline.featurize import SourceRow
from streaming.features.messages import Row
from streaming.kafka import clients
from streaming.kafka.messages import Outgoing
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.topics import UPDATES


class KafkaPythonSource(UpdateSource):
    """Updates by kafka-python."""

    def __init__(self, kafka: KafkaSettings, group: str, batch_size: int) -> None:
        self._consumer = clients.group_consumer(
            kafka,
            UPDATES.name,
            group=group,
            instance_id="",
            session_timeout_s=45.0,
            max_poll_records=batch_size,
        )

    @override
    def poll(self) -> Batch:
        """Wait up to 0.2 s for messages; one call returns at most `batch_size`."""
        records = [r for part in self._consumer.poll(timeout_ms=200).values() for r in part]
        rows = [SourceRow(r.value or b"", r.topic, r.partition, r.offset, r.timestamp) for r in records]
        return [r.key for r in records], rows

    @override
    def commit(self) -> None:
        """Commit the positions of all assigned partitions, and wait for the broker's answer."""
        self._consumer.commit()

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()


class KafkaPythonSink(OutcomeSink):
    """Records and dead letters by kafka-python."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._producer = clients.producer(kafka)
        self._futures: list[Any] = []

    @override
    def send(self, message: Row) -> None:
        """Put the message into the producer's buffer, and keep the future of its acknowledgement for `flush`."""
        topic, key, value, headers = message
        self._futures.append(clients.send(self._producer, Outgoing(topic, key, value, dict(headers))))

    @override
    def flush(self) -> None:
        """Empty the producer's buffer, then raise the KafkaError of the first message that was refused."""
        self._producer.flush()
        for future in self._futures:
            future.get(timeout=0)
        self._futures.clear()

    def close(self) -> None:
        """Close the producer."""
        self._producer.close()
