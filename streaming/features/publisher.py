"""Send feature records to `postings.features` from a backfill."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from kafka import KafkaProducer
from kafka.errors import KafkaError
from typing_extensions import override

from pipeline.publish import Publisher
from schemas.codec import Codec
from schemas.errors import BrokersUnavailable
from schemas.records import FeatureRecord
from streaming.features.messages import MAX_FEATURE_BYTES
from streaming.kafka import clients
from streaming.kafka.delivery import Delivery
from streaming.kafka.framing import RegistrySettings, open_codec
from streaming.kafka.messages import Outgoing
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.topics import FEATURES

#: The header `source` of a backfill's messages; the feature job puts the update's topic, partition and offset there.
SOURCE = {"source": b"backfill"}


def open_publisher(kafka: KafkaSettings, registry: RegistrySettings) -> "KafkaPublisher":
    """Open a publisher in the process that uses it. Raises BrokersUnavailable, RegistryUnavailable."""
    # kafka-python logs every attempt to reach a broker that is down; BrokersUnavailable says it once.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    codec = open_codec(registry, {FeatureRecord: FEATURES.name})

    def open_producer() -> KafkaProducer:
        try:
            return clients.producer(kafka)
        except KafkaError as error:
            raise BrokersUnavailable(f"{kafka.bootstrap}: {error}") from error

    try:
        return KafkaPublisher(open_producer, codec, framed=bool(registry.url))
    except BrokersUnavailable:
        codec.close()
        raise


class KafkaPublisher(Publisher):
    """Sends records to `postings.features`; `framed`: in Confluent framing. It closes the producer and the codec.

    After an outage it works with a new producer, because kafka-python's may never send again.
    """

    def __init__(self, open_producer: Callable[[], KafkaProducer], codec: Codec, *, framed: bool) -> None:
        self._open_producer = open_producer
        self._producer: KafkaProducer | None = open_producer()
        self._codec = codec
        self._framed = framed

    @override
    def publish_many(self, records: Mapping[str, bytes]) -> dict[str, str]:
        """Send all, then wait for all acknowledgements; a record above MAX_FEATURE_BYTES is refused."""
        headers = {**SOURCE, "source_ts": b"%d" % (time.time() * 1000)}
        values = {p: self._codec.reframe(FeatureRecord, v) if self._framed else v for p, v in records.items()}
        refused = {p: _refusal(value) for p, value in values.items() if _is_too_large(p, value)}
        self._send(
            [
                Outgoing(FEATURES.name, p.encode(), value, headers)
                for p, value in values.items()
                if p not in refused
            ]
        )
        return refused

    def _send(self, messages: Sequence[Outgoing]) -> None:
        self._producer = self._producer or self._open_producer()
        try:
            delivery = Delivery(self._producer)
            for message in messages:
                delivery.send(message)
            delivery.wait()
        except BrokersUnavailable as error:
            self._close_producer()
            raise BrokersUnavailable(f"{FEATURES.name}: {error}") from error

    @override
    def close(self) -> None:
        """Close producer and codec; every message was acknowledged or raised an error before."""
        self._close_producer()
        self._codec.close()

    def _close_producer(self) -> None:
        if self._producer is not None:
            clients.close_producer(self._producer)
        self._producer = None


def _is_too_large(posting_id: str, value: bytes) -> bool:
    return len(posting_id.encode()) + len(value) > MAX_FEATURE_BYTES


def _refusal(value: bytes) -> str:
    return f"a record of {len(value)} bytes is too large for {FEATURES.name}"
