"""The same work on quixstreams: in batches by a sink written for it, and record by record as in its tutorials."""

from typing import Any

from quixstreams import Application
from quixstreams.models.serializers import Serializer
from quixstreams.sinks.base import BaseSink
from typing_extensions import override

from benchmarks.feature_job.peers.confluent import PRODUCER
from benchmarks.feature_job.peers.plain import COMMIT_S, Batch, OutcomeSink
from pipeline.featurize import SourceRow
from streaming.features.messages import Row
from streaming.features.worker import FeatureWorker
from streaming.kafka.topics import DLQ, FEATURES, UPDATES


class FeatureSink(BaseSink):  # type: ignore[misc]  # quixstreams' classes are Any to mypy
    """Works on each full batch of all partitions together; quixstreams commits offsets after `flush`."""

    def __init__(self, work: FeatureWorker, out: OutcomeSink, batch_size: int) -> None:
        super().__init__()
        self._work = work
        self._out = out
        self._batch_size = batch_size
        self._batch: Batch = ([], [])

    @override
    def add(
        self,
        value: bytes | None,
        key: bytes | None,
        timestamp: int,
        headers: object,
        topic: str,
        partition: int,
        offset: int,
    ) -> None:
        """Collect one update; the one that fills the batch has the batch featurized and its outcomes queued at once."""
        del headers
        keys, rows = self._batch
        keys.append(key)
        rows.append(SourceRow(value or b"", topic, partition, offset, timestamp))
        if len(rows) == self._batch_size:
            self._settle()

    @override
    def flush(self) -> None:
        """Featurize what is left of the batch, then wait until the broker has all outcomes."""
        self._settle()
        self._out.flush()

    def _settle(self) -> None:
        _, made = self._work.featurize(*self._batch)
        self._batch = ([], [])
        for message in made:
            self._out.send(message)


def in_batches(bootstrap: str, group: str, work: FeatureWorker, out: OutcomeSink, batch_size: int) -> None:
    """Run in batches until SIGTERM."""
    app = _application(bootstrap, group)
    updates = app.topic(UPDATES.name, value_deserializer="bytes")
    app.dataframe(updates).sink(FeatureSink(work, out, batch_size))
    app.run()


def one_by_one(bootstrap: str, group: str, work: FeatureWorker) -> None:
    """Run record by record until SIGTERM; each outcome goes to the topic that it names."""
    app = _application(bootstrap, group)
    updates = app.topic(UPDATES.name, value_deserializer="bytes")
    outputs = {name: app.topic(name, value_serializer=_Value()) for name in (FEATURES.name, DLQ.name)}
    frame = app.dataframe(updates)
    frame = frame.apply(_Step(work), metadata=True)
    frame = frame.set_headers(lambda row, *_: row[3])
    frame.to_topic(lambda row, *_: outputs[row[0]], key=lambda row: row[1])
    app.run()


class _Step:
    """Featurizes one record; quixstreams' message context has its offset."""

    def __init__(self, work: FeatureWorker) -> None:
        self._work = work

    def __call__(self, value: bytes | None, key: bytes | None, timestamp: int, _headers: object) -> Row:
        from quixstreams import message_context

        context = message_context()
        source = SourceRow(value or b"", context.topic, context.partition, context.offset, timestamp)
        _, made = self._work.featurize([key], [source])
        return made[0]


class _Value(Serializer):  # type: ignore[misc]
    """Serializes a row as the message's value, which is its third part."""

    def __call__(self, value: Row, ctx: Any) -> bytes | None:
        del ctx
        return value[2]


def _application(bootstrap: str, group: str) -> Any:
    return Application(
        broker_address=bootstrap,
        consumer_group=group,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        commit_interval=COMMIT_S,
        producer_extra_config=dict(PRODUCER),
        loglevel="WARNING",
    )
