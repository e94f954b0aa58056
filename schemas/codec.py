"""Records to bytes and back: Avro single-object encoding, or Confluent framing when a registry is given.

Single object: `C3 01`, the writer schema's CRC-64-AVRO fingerprint (8 bytes, little-endian), the Avro body.
Confluent: `00`, the schema's id in the registry (4 bytes, big-endian), the Avro body.

The last field of every contract, `crc`, is the CRC-32 of all bytes before it, framing included. Avro itself does not
notice a changed letter inside a text; with the checksum any flipped byte, any burst of up to 32 bits and any
truncation is a DecodeError (worse damage passes once in 2**32). A foreign writer that cannot compute the checksum
leaves the field's default, and version 1 of each contract had no such field: their bytes only have to be the one
canonical encoding of the record, and rely on Kafka's own checksum.

A reader resolves every version kept in `history/`, and any compatible schema that the registry knows.
"""

import struct
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from typing import Any, Protocol, TypeVar
from zlib import crc32

from fastavro import schemaless_reader, schemaless_writer
from fastavro.read import SchemaResolutionError
from fastavro.schema import SchemaParseException

from schemas import avro, records
from schemas.compiled import Decoder, Encoder, compile_codec
from schemas.errors import DecodeError
from schemas.records import Alert, DeadLetter, FeatureRecord, PostingUpdate, SavedSearch, ScoreRequest

Record = PostingUpdate | FeatureRecord | SavedSearch | ScoreRequest | Alert | DeadLetter
R = TypeVar("R", PostingUpdate, FeatureRecord, SavedSearch, ScoreRequest, Alert, DeadLetter)

SCHEMA_NAMES: dict[type[Any], str] = {
    PostingUpdate: "posting_update",
    FeatureRecord: "feature_record",
    SavedSearch: "saved_search",
    ScoreRequest: "score_request",
    Alert: "alert",
    DeadLetter: "dead_letter",
}

HEADER_BYTES = 10
CONFLUENT_MAGIC = b"\x00"
CONFLUENT_BYTES = 5
CRC_BYTES = 4
NO_CRC = b"none"
"""The field's default, left by a writer that computes no checksum. Not zeros, because a torn write leaves zeros."""

#: What the readers and fastavro raise on bytes that are no encoding of the schema.
DAMAGE = (
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    SchemaResolutionError,
    struct.error,
    TypeError,
    ValueError,
)


class Registry(Protocol):
    """A schema registry; `schema_text` and `register` raise RegistryUnavailable in an outage."""

    def schema_text(self, schema_id: int) -> str:
        """The schema registered under an id; raises DecodeError for an unknown id."""
        ...

    def register(self, subject: str, text: str) -> int:
        """The id of a schema under a subject, registered if it is new; raises IncompatibleSchema if refused."""
        ...

    def close(self) -> None:
        """Release the connections."""
        ...


class Codec:
    """Encodes and decodes every record; with a registry it writes Confluent framing, and it reads both at any time.

    `subjects`: each record class's subject in the registry; a class without one uses its schema's full name.
    """

    def __init__(
        self, registry: Registry | None = None, subjects: Mapping[type[Any], str] | None = None
    ) -> None:
        self._registry = registry
        self._subjects = dict(subjects or {})
        self._prefixes: dict[str, bytes] = {}
        self._by_id: dict[tuple[str, int], avro.Schema] = {}

    def encode(self, record: Record) -> bytes:
        """The framed bytes; raises ValueError or OverflowError for a text or number that Avro cannot hold."""
        header, encoder, _ = _CURRENT[type(record)]
        prefix = header if self._registry is None else self._prefix(self._registry, type(record))
        data = prefix + b"".join(encoder(record))
        return data + crc32(data).to_bytes(CRC_BYTES, "big")

    def decode(self, cls: type[R], data: bytes) -> R:
        """The record; raises DecodeError for any damaged bytes, RegistryUnavailable only for Confluent framing."""
        header, _, decoder = _CURRENT[cls]
        start, end, writer = HEADER_BYTES, len(data) - CRC_BYTES, None
        if data[:HEADER_BYTES] != header:
            start, writer = self._writer(SCHEMA_NAMES[cls], data)
        try:
            if data[end:] == NO_CRC or (writer and writer.header != header):
                record: R = _resolve(SCHEMA_NAMES[cls], writer, data, start)
            else:
                _check_crc(data, end)
                record = decoder(data, start, end)
        except DAMAGE as error:
            raise DecodeError(f"damaged {SCHEMA_NAMES[cls]}: {type(error).__name__}: {error}") from error
        return record

    def reframe(self, cls: type[R], data: bytes) -> bytes:
        """Decode and encode again, for this codec's framing; without a registry, return the bytes as they are."""
        return data if self._registry is None else self.encode(self.decode(cls, data))

    def register_subjects(self) -> None:
        """Fetch the ids of all `subjects` now, so that `encode` never waits for one; raises as `register` does."""
        if self._registry is not None:
            for cls in self._subjects:
                self._prefix(self._registry, cls)

    def close(self) -> None:
        """Release the registry."""
        if self._registry is not None:
            self._registry.close()

    def _writer(self, name: str, data: bytes) -> tuple[int, avro.Schema]:
        if data[:1] == CONFLUENT_MAGIC and len(data) >= CONFLUENT_BYTES:
            return CONFLUENT_BYTES, self._registered(name, int.from_bytes(data[1:CONFLUENT_BYTES], "big"))
        schema = _known(name).get(data[:HEADER_BYTES])
        if schema is None:
            raise DecodeError(f"not a {name}: no known framing, begins with {data[:HEADER_BYTES]!r}")
        return HEADER_BYTES, schema

    def _registered(self, name: str, schema_id: int) -> avro.Schema:
        if self._registry is None:
            raise DecodeError(
                f"{name} in Confluent framing (schema id {schema_id}), but no schema registry is configured: "
                "set --schema-registry"
            )
        if (name, schema_id) not in self._by_id:
            text = self._registry.schema_text(schema_id)
            try:
                self._by_id[name, schema_id] = avro.load(name, text)
            except (ValueError, SchemaParseException) as error:
                raise DecodeError(f"schema id {schema_id} is not an Avro schema: {error}") from error
        return self._by_id[name, schema_id]

    def _prefix(self, registry: Registry, cls: type[Any]) -> bytes:
        name = SCHEMA_NAMES[cls]
        if name not in self._prefixes:
            schema = avro.current(name)
            schema_id = registry.register(self._subjects.get(cls) or schema.parsed["name"], schema.text)
            self._prefixes[name] = CONFLUENT_MAGIC + schema_id.to_bytes(4, "big")
        return self._prefixes[name]


def _check_crc(data: bytes, end: int) -> None:
    if crc32(memoryview(data)[:end]) != int.from_bytes(data[end:], "big"):
        raise ValueError("the checksum does not fit")


def _resolve(name: str, writer: avro.Schema | None, data: bytes, start: int) -> Any:
    """Decode bytes that another schema wrote (None: the current one), or that have no checksum."""
    current = avro.current(name)
    writer = writer or current
    body = BytesIO(data[start:])
    datum = schemaless_reader(body, writer.parsed, None)
    if writer.has_crc and datum[avro.CRC_FIELD] != NO_CRC:
        _check_crc(data, start + body.tell() - CRC_BYTES)
    body = BytesIO()
    schemaless_writer(body, writer.parsed, datum)
    if body.getvalue() != data[start:]:
        raise ValueError("the bytes are not the one encoding of what they say")
    body.seek(0)
    record = _from_datum(current.parsed, schemaless_reader(body, writer.parsed, current.parsed))
    # fastavro reads an int of any size: one that cannot be encoded again is damage, and is found here, not in the store
    _CURRENT[type(record)][1](record)
    return record


def _from_datum(schema: Any, datum: Any) -> Any:
    """A record from fastavro's dictionaries, by the reader's schema."""
    match schema:
        case ["null", branch]:
            return None if datum is None else _from_datum(branch, datum)
        case {"type": "array", "items": items}:
            return tuple(_from_datum(items, item) for item in datum)
        case "bytes" if isinstance(datum, str):
            return datum.encode(
                "latin-1"
            )  # a default: JSON has no bytes, and fastavro leaves it as it stands there
        case {"type": "enum", "name": name}:
            return getattr(records, name.rpartition(".")[2])(datum)
        case {"type": "record", "name": name, "fields": fields}:
            own = [field for field in fields if field["name"] != avro.CRC_FIELD]
            values = {field["name"]: _from_datum(field["type"], datum[field["name"]]) for field in own}
            return getattr(records, name.rpartition(".")[2])(**values)
    return datum


@cache
def _known(name: str) -> dict[bytes, avro.Schema]:
    """Every version of a contract by its ten header bytes."""
    schemas = [schema for _, schema in avro.history(name)] + [avro.current(name)]
    return {schema.header: schema for schema in schemas}


class _Compiled(dict[type[Any], tuple[bytes, Encoder, Decoder]]):
    """Header and code of each record's current schema, made on first use."""

    def __missing__(self, cls: type[Any]) -> tuple[bytes, Encoder, Decoder]:
        schema = avro.current(SCHEMA_NAMES[cls])
        self[cls] = made = (schema.header, *compile_codec(schema.parsed))
        return made


_CURRENT = _Compiled()
_PLAIN = Codec()
encode = _PLAIN.encode
decode = _PLAIN.decode
