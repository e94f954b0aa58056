"""Records to bytes and back: Avro single-object encoding, or Confluent framing when a registry is given.

Single object: `C3 01`, the writer schema's CRC-64-AVRO fingerprint (8 bytes, little-endian), the Avro body.
Confluent: `00`, the schema's id in the registry (4 bytes, big-endian), the Avro body.
A reader resolves every version kept in `history/`, and any compatible schema that the registry knows.
"""

from collections.abc import Callable
from functools import cache
from io import BytesIO
from operator import attrgetter
from typing import Any, Protocol, TypeVar

from fastavro import schemaless_reader, schemaless_writer
from fastavro.read import SchemaResolutionError
from fastavro.schema import SchemaParseException

from schemas import avro
from schemas.errors import DecodeError
from schemas.records import (
    Alert,
    Candidate,
    DeadLetter,
    FeatureRecord,
    Op,
    Posting,
    PostingUpdate,
    SavedSearch,
    ScoreRequest,
    State,
)

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

#: What fastavro and the records raise on bytes that are no encoding of the schema.
DAMAGE = (
    EOFError, IndexError, KeyError, OverflowError, SchemaResolutionError, TypeError, ValueError,
)  # fmt: skip


class Registry(Protocol):
    """A schema registry; both calls raise RegistryUnavailable in an outage."""

    def schema_text(self, schema_id: int) -> str:
        """The schema registered under an id; raises DecodeError for an unknown id."""
        ...

    def register(self, subject: str, text: str) -> int:
        """The id of a schema under a subject, registered if it is new; raises IncompatibleSchema if refused."""
        ...


Datum = dict[str, Any]


def _fields(cls: type[Any]) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    names = tuple(cls.__dataclass_fields__)
    return names, attrgetter(*names)


def _flat(cls: type[Any]) -> Callable[[Any], Datum]:
    names, values = _fields(cls)
    return lambda record: dict(zip(names, values(record), strict=True))


_posting = _flat(Posting)
_candidate = _flat(Candidate)
_search = _flat(SavedSearch)
_OPS = {op.value: op for op in Op}
_STATES = {state.value: state for state in State}


def _update_out(update: PostingUpdate) -> Datum:
    posting = update.posting
    return {
        "posting_id": update.posting_id,
        "version": update.version,
        "op": update.op,
        # The tagged form spares fastavro the validation of each branch of the union.
        "posting": None if posting is None else ("nearline.Posting", _posting(posting)),
    }


def _update_in(datum: Datum) -> PostingUpdate:
    posting = datum["posting"]
    return PostingUpdate(
        posting_id=datum["posting_id"],
        version=datum["version"],
        op=_OPS[datum["op"]],
        posting=None if posting is None else Posting(**posting),
    )


def _feature_in(datum: Datum) -> FeatureRecord:
    datum["state"] = _STATES[datum["state"]]
    return FeatureRecord(**datum)


def _request_out(request: ScoreRequest) -> Datum:
    return {
        "search": _search(request.search),
        "candidates": [_candidate(candidate) for candidate in request.candidates],
        "created_ms": request.created_ms,
    }


def _request_in(datum: Datum) -> ScoreRequest:
    return ScoreRequest(
        search=SavedSearch(**datum["search"]),
        candidates=tuple(Candidate(**candidate) for candidate in datum["candidates"]),
        created_ms=datum["created_ms"],
    )


_OUT: dict[type[Any], Callable[[Any], Datum]] = {
    **{cls: _flat(cls) for cls in (FeatureRecord, SavedSearch, Alert, DeadLetter)},
    PostingUpdate: _update_out,
    ScoreRequest: _request_out,
}
_IN: dict[type[Any], Callable[[Datum], Any]] = {
    SavedSearch: lambda datum: SavedSearch(**datum),
    Alert: lambda datum: Alert(**datum),
    DeadLetter: lambda datum: DeadLetter(**datum),
    FeatureRecord: _feature_in,
    PostingUpdate: _update_in,
    ScoreRequest: _request_in,
}


@cache
def _known(name: str) -> dict[bytes, avro.Schema]:
    """Every version of a contract by its ten header bytes."""
    schemas = [schema for _, schema in avro.history(name)] + [avro.current(name)]
    return {schema.header: schema for schema in schemas}


class Codec:
    """Encodes and decodes every record; with a registry it writes Confluent framing, and it reads both at any time."""

    def __init__(self, registry: Registry | None = None) -> None:
        self._registry = registry
        self._ids: dict[str, bytes] = {}
        self._by_id: dict[int, avro.Schema] = {}

    def encode(self, record: Record) -> bytes:
        """The framed bytes; raises ValueError, TypeError or OverflowError for values that no schema holds."""
        cls = type(record)
        schema = avro.current(SCHEMA_NAMES[cls])
        out = BytesIO()
        out.write(schema.header if self._registry is None else self._prefix(self._registry, schema))
        schemaless_writer(out, schema.parsed, _OUT[cls](record))
        return out.getvalue()

    def decode(self, cls: type[R], data: bytes) -> R:
        """The record; raises DecodeError for any damaged bytes, RegistryUnavailable only for Confluent framing."""
        name = SCHEMA_NAMES[cls]
        current = avro.current(name)
        body = BytesIO(data)
        if data[:HEADER_BYTES] == current.header:
            body.seek(HEADER_BYTES)
            writer, reader = current, None
        else:
            writer, reader = self._writer(name, data, body), current.parsed
        try:
            datum = schemaless_reader(body, writer.parsed, reader)
            record: R = _IN[cls](datum)
        except DAMAGE as error:
            raise DecodeError(f"damaged {name}: {type(error).__name__}: {error}") from error
        if body.tell() != len(data):
            raise DecodeError(f"damaged {name}: {len(data) - body.tell()} bytes after the record")
        return record

    def _writer(self, name: str, data: bytes, body: BytesIO) -> avro.Schema:
        if data[:1] == CONFLUENT_MAGIC and len(data) >= CONFLUENT_BYTES:
            body.seek(CONFLUENT_BYTES)
            return self._registered(name, int.from_bytes(data[1:CONFLUENT_BYTES], "big"))
        body.seek(HEADER_BYTES)
        schema = _known(name).get(data[:HEADER_BYTES])
        if schema is None:
            raise DecodeError(f"not a {name}: unknown header {data[:HEADER_BYTES].hex() or '(empty)'}")
        return schema

    def _registered(self, name: str, schema_id: int) -> avro.Schema:
        if self._registry is None:
            raise DecodeError(f"{name} has schema id {schema_id}, but no schema registry is configured")
        if schema_id not in self._by_id:
            text = self._registry.schema_text(schema_id)
            try:
                self._by_id[schema_id] = avro.load(name, text)
            except (ValueError, SchemaParseException) as error:
                raise DecodeError(f"schema id {schema_id} is not an Avro schema: {error}") from error
        return self._by_id[schema_id]

    def _prefix(self, registry: Registry, schema: avro.Schema) -> bytes:
        """Confluent's five bytes; the subject is the record's full name (RecordNameStrategy)."""
        if schema.name not in self._ids:
            schema_id = registry.register(schema.parsed["name"], schema.text)
            self._ids[schema.name] = CONFLUENT_MAGIC + schema_id.to_bytes(4, "big")
        return self._ids[schema.name]


_PLAIN = Codec()
encode = _PLAIN.encode
decode = _PLAIN.decode
