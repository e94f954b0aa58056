"""Confluent's client and ours over one registry: same subjects, same ids, each reads what the other writes."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from schemas import avro
from schemas.codec import NO_CRC, SCHEMA_NAMES, Codec, Record
from schemas.records import Alert, FeatureRecord, PostingUpdate, SavedSearch, ScoreRequest
from streaming.kafka import topics
from streaming.kafka.framing import RegistrySettings, open_codec
from tests.schemas.registry_server import RegistryServer, serving
from tests.schemas.strategies import EXAMPLES
from tests.schemas.wire import as_datum

theirs = pytest.importorskip(
    "confluent_kafka.schema_registry.avro", reason="Confluent's client comes with the extra `bench`"
)
client = pytest.importorskip("confluent_kafka.schema_registry")
serialization = pytest.importorskip("confluent_kafka.serialization")

WRITES = {
    PostingUpdate: topics.UPDATES.name,
    SavedSearch: topics.SEARCHES.name,
    FeatureRecord: topics.FEATURES.name,
    ScoreRequest: topics.SCORE_REQUESTS.name,
    Alert: topics.ALERTS.name,
}
on_topics = pytest.mark.parametrize(
    "record", [r for r in EXAMPLES if type(r) in WRITES], ids=lambda r: type(r).__name__
)


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with serving() as running:
        yield running


@pytest.fixture
def ours(server: RegistryServer) -> Iterator[Codec]:
    with closing(open_codec(RegistrySettings(url=server.url), WRITES)) as codec:
        yield codec


def context(record: Record) -> Any:
    return serialization.SerializationContext(WRITES[type(record)], serialization.MessageField.VALUE)


@on_topics
def test_what_confluents_client_writes_is_read_here(
    record: Record, server: RegistryServer, ours: Codec
) -> None:
    with client.SchemaRegistryClient({"url": server.url}) as registry:
        writer = theirs.AvroSerializer(registry, avro.current(SCHEMA_NAMES[type(record)]).text)
        # fastavro under it takes the default of a bytes field for text
        data = writer({**as_datum(record), avro.CRC_FIELD: NO_CRC}, context(record))
    assert ours.decode(type(record), data) == record  # type: ignore[type-var]
    assert data[:5] == ours.encode(record)[:5]
    assert server.registry.subjects() == sorted(f"{topic}-value" for topic in WRITES.values())


@on_topics
def test_what_is_written_here_is_read_by_confluents_client(
    record: Record, server: RegistryServer, ours: Codec
) -> None:
    with client.SchemaRegistryClient({"url": server.url}) as registry:
        found = theirs.AvroDeserializer(registry)(ours.encode(record), context(record))
    del found[avro.CRC_FIELD]
    wanted = {name: list(v) if isinstance(v, tuple) else v for name, v in as_datum(record).items()}
    assert found == wanted
