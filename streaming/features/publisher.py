"""Send feature records to `postings.features` from a backfill."""

import logging
import time
from collections.abc import Mapping

from kafka import KafkaProducer
from kafka.errors import KafkaError
from typing_extensions import override

from pipeline.publish import Publisher
from schemas.codec import Codec
from schemas.errors import BrokersUnavailable
from schemas.records import FeatureRecord
from streaming.features.messages import MAX_FEATURE_BYTES
from streaming.kafka import clients
from streaming.kafka.framing import RegistrySettings, open_codec
from streaming.kafka.messages import Outgoing
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.topics import FEATURES

SEND_S = 60.0
#: The header `source` of a backfill's messages; the feature job puts the update's topic, partition and offset there.
SOURCE = {"source": b"backfill"}


def open_publisher(kafka: KafkaSettings, registry: RegistrySettings) -> "KafkaPublisher":
    """Open a publisher in the process that uses it. Raises BrokersUnavailable, RegistryUnavailable."""
    # kafka-python logs every attempt to reach a broker that is down; BrokersUnavailable says it once.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    codec = open_codec(registry, {FeatureRecord: FEATURES.name})
    try:
        producer = clients.producer(kafka)
    except KafkaError as error:
        codec.close()
        raise BrokersUnavailable(f"{kafka.bootstrap}: {error}") from error
    return KafkaPublisher(producer, codec, framed=bool(registry.url))


class KafkaPublisher(Publisher):
    """Sends records to `postings.features`; `framed`: in Confluent framing. It closes the producer and the codec."""

    def __init__(self, producer: KafkaProducer, codec: Codec, *, framed: bool) -> None:
        self._producer = producer
        self._codec = codec
        self._framed = framed

    @override
    def publish_many(self, records: Mapping[str, bytes]) -> dict[str, str]:
        """Send all, then wait for all acknowledgements; a record above MAX_FEATURE_BYTES is refused."""
        stamp = b"%d" % (time.time() * 1000)
        refused: dict[str, str] = {}
        waiting = []
        try:
            for posting_id, data in records.items():
                value = self._codec.reframe(FeatureRecord, data) if self._framed else data
                if len(posting_id.encode()) + len(value) > MAX_FEATURE_BYTES:
                    refused[posting_id] = f"a record of {len(value)} bytes is too large for {FEATURES.name}"
                    continue
                headers = {**SOURCE, "source_ts": stamp}
                waiting.append(
                    clients.send(self._producer, Outgoing(FEATURES.name, posting_id.encode(), value, headers))
                )
            self._producer.flush(timeout=SEND_S)
            for future in waiting:
                future.get(timeout=SEND_S)
        except KafkaError as error:
            raise BrokersUnavailable(f"{FEATURES.name}: {error}") from error
        return refused

    @override
    def close(self) -> None:
        """Wait up to 10 s for what the producer still holds, then close the codec too."""
        self._producer.close(timeout=10)
        self._codec.close()
