import json
from collections.abc import Iterator

import pytest

from schemas import avro
from schemas.codec import CRC_BYTES, NO_CRC, SCHEMA_NAMES, Codec, Record
from schemas.errors import DecodeError, IncompatibleSchema, RegistryUnavailable
from schemas.records import PostingUpdate, SavedSearch
from schemas.registry import MemoryRegistry, SchemaRegistry
from tests.schemas.registry_server import RegistryServer, serving
from tests.schemas.strategies import EXAMPLES
from tests.schemas.wire import written

examples = pytest.mark.parametrize("record", EXAMPLES, ids=lambda record: type(record).__name__)
UPDATE, SEARCH = EXAMPLES[0], EXAMPLES[2]
NEWER_SEARCH = """{"type": "record", "name": "SavedSearch", "namespace": "nearline", "fields": [
  {"name": "search_id", "type": "string"}, {"name": "query", "type": "string"},
  {"name": "threshold", "type": "float"}, {"name": "owner", "type": ["null", "string"]}]}"""


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with serving() as running:
        yield running


@examples
def test_with_a_registry_every_record_is_framed_by_its_schema_id_and_comes_back(record: Record) -> None:
    registry = MemoryRegistry()
    registry.register("other", NEWER_SEARCH)
    codec = Codec(registry)
    data = codec.encode(record)
    assert data[:5] == b"\x00\x00\x00\x00\x02"
    assert registry.schema_text(2) == avro.current(SCHEMA_NAMES[type(record)]).text
    assert codec.decode(type(record), data) == record  # type: ignore[type-var]


@examples
def test_with_a_registry_single_object_encoding_still_reads(record: Record) -> None:
    assert Codec(MemoryRegistry()).decode(type(record), Codec().encode(record)) == record  # type: ignore[type-var]


@examples
def test_without_a_registry_confluent_framing_is_an_error_that_says_so(record: Record) -> None:
    data = Codec(MemoryRegistry()).encode(record)
    with pytest.raises(DecodeError, match="no schema registry is configured: set --schema-registry"):
        Codec().decode(type(record), data)  # type: ignore[type-var]


@pytest.mark.timeout(30)
@examples
def test_every_byte_changed_in_confluent_framing_is_an_error(record: Record) -> None:
    registry = MemoryRegistry()
    codec = Codec(registry)
    for example in EXAMPLES:
        codec.encode(example)
    data = bytearray(codec.encode(record))
    for position, original in enumerate(data):
        for value in {0, 1, 2, 3, 4, 5, 6, 0xC3, original ^ 1, original ^ 0x80} - {original}:
            data[position] = value
            with pytest.raises(DecodeError):
                codec.decode(type(record), bytes(data))  # type: ignore[type-var]
        data[position] = original


def test_a_foreign_schema_of_the_registry_reads_with_fields_missing_added_and_widened() -> None:
    registry = MemoryRegistry()
    schema_id = registry.register("nearline.SavedSearch", NEWER_SEARCH)
    foreign = avro.load("saved_search", NEWER_SEARCH)
    datum = {"search_id": "s-1", "query": "nurse", "threshold": 0.25, "owner": "o"}
    data = written(foreign, datum, prefix=b"\x00" + schema_id.to_bytes(4, "big"))
    found = Codec(registry).decode(SavedSearch, data)
    assert found == SavedSearch(search_id="s-1", query="nurse", threshold=0.25)


def test_a_foreign_writer_of_our_schema_may_leave_the_checksum_at_its_default() -> None:
    codec = Codec(MemoryRegistry())
    assert codec.decode(PostingUpdate, codec.encode(UPDATE)[:-CRC_BYTES] + NO_CRC) == UPDATE


def test_an_unknown_id_and_the_id_of_another_contract_are_errors() -> None:
    codec = Codec(MemoryRegistry())
    data = codec.encode(SEARCH)
    with pytest.raises(DecodeError, match="knows no schema id 77"):
        codec.decode(SavedSearch, b"\x00\x00\x00\x00\x4d" + data[5:])
    with pytest.raises(DecodeError):
        codec.decode(PostingUpdate, data)


def test_an_id_whose_schema_cannot_be_parsed_is_an_error() -> None:
    class Odd(MemoryRegistry):
        def schema_text(self, schema_id: int) -> str:
            return ["{", '{"type": "nonsense"}', '"string"'][schema_id]

    for schema_id in range(3):
        with pytest.raises(DecodeError, match="is not an Avro schema"):
            Codec(Odd()).decode(SavedSearch, b"\x00" + schema_id.to_bytes(4, "big") + b"abc")


def test_the_registry_in_memory_refuses_a_schema_that_cannot_read_an_older_one() -> None:
    registry = MemoryRegistry()
    first = registry.register("s", NEWER_SEARCH)
    assert registry.register("s", NEWER_SEARCH) == first
    with pytest.raises(IncompatibleSchema, match="new without a default"):
        registry.register("s", NEWER_SEARCH.replace('"owner"', '"holder"'))


def test_the_client_writes_and_reads_through_a_running_registry_and_asks_for_each_id_once(
    server: RegistryServer,
) -> None:
    writer, reader = SchemaRegistry(server.url), SchemaRegistry(server.url)
    data = [Codec(writer).encode(UPDATE) for _ in range(3)]
    codec = Codec(reader)
    assert [codec.decode(PostingUpdate, each) for each in data] == [UPDATE] * 3
    subject = "POST /subjects/nearline.PostingUpdate"
    assert server.calls == [subject, f"{subject}/versions", "GET /schemas/ids/1"]
    writer.close()
    reader.close()


def test_the_client_tells_an_unknown_id_and_a_refused_schema_from_an_outage(server: RegistryServer) -> None:
    client = SchemaRegistry(server.url)
    with pytest.raises(DecodeError, match="knows no schema id 5"):
        client.schema_text(5)
    client.register("s", NEWER_SEARCH)
    with pytest.raises(IncompatibleSchema, match="refuses s"):
        client.register("s", NEWER_SEARCH.replace('"owner"', '"holder"'))
    client.close()


def test_a_schema_that_was_registered_before_needs_no_right_to_write_whatever_its_layout(
    server: RegistryServer,
) -> None:
    known = server.registry.register("s", json.dumps(json.loads(NEWER_SEARCH), indent=4))
    server.read_only = True
    client = SchemaRegistry(server.url)
    assert client.register("s", NEWER_SEARCH) == known
    with pytest.raises(RegistryUnavailable, match="denied operation Write"):
        client.register("t", NEWER_SEARCH)
    client.close()


def test_the_client_tells_the_registry_who_it_is(server: RegistryServer) -> None:
    server.auth = "ann:a:b@c"
    client = SchemaRegistry(server.url, auth="ann:a:b@c")
    assert client.register("s", NEWER_SEARCH) == 1
    client.close()
    stranger = SchemaRegistry(server.url, auth="ann:no")
    with pytest.raises(RegistryUnavailable, match="401"):
        stranger.register("s", NEWER_SEARCH)
    stranger.close()


def test_the_client_tries_again_when_the_registry_is_starting(server: RegistryServer) -> None:
    client = SchemaRegistry(server.url)
    server.failures = 2
    assert client.register("s", NEWER_SEARCH) == 1
    server.failures = 3
    with pytest.raises(RegistryUnavailable, match="503"):
        client.schema_text(1)
    client.close()


def test_a_registry_that_is_down_is_an_outage_and_no_damage(server: RegistryServer) -> None:
    data = Codec(SchemaRegistry(server.url)).encode(UPDATE)
    gone = SchemaRegistry("http://127.0.0.1:9", timeout_s=0.5)
    with pytest.raises(RegistryUnavailable):
        Codec(gone).decode(PostingUpdate, data)
    gone.close()


@pytest.mark.parametrize("extra", [{"schemaType": "PROTOBUF"}, {"schema": None}])
def test_a_schema_of_another_format_is_an_error(server: RegistryServer, extra: dict[str, object]) -> None:
    client = SchemaRegistry(server.url)
    client.register("s", NEWER_SEARCH)
    server.extra = extra
    with pytest.raises(DecodeError, match="is not an Avro schema"):
        client.schema_text(1)
    client.close()


def test_an_answer_that_is_no_registrys_is_an_outage(server: RegistryServer) -> None:
    client = SchemaRegistry(server.url + "/elsewhere")
    with pytest.raises(RegistryUnavailable, match="404"):
        client.register("s", NEWER_SEARCH)
    # a 404 that the registry itself did not give says nothing about the bytes that named the id
    with pytest.raises(RegistryUnavailable, match="404"):
        client.schema_text(1)
    client.close()
