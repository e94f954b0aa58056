"""What a foreign or older writer would put on the wire."""

from dataclasses import asdict
from io import BytesIO
from typing import Any
from zlib import crc32

from fastavro import schemaless_writer

from schemas import avro
from schemas.codec import Record


def as_datum(record: Record) -> dict[str, Any]:
    """The record as fastavro takes it."""
    return asdict(record)


def sealed(data: bytes) -> bytes:
    """Bytes with the checksum that fits them."""
    return data + crc32(data).to_bytes(4, "big")


def written(schema: avro.Schema, datum: dict[str, Any], prefix: bytes | None = None) -> bytes:
    """A datum in single-object encoding by any schema, or behind another prefix."""
    body = BytesIO()
    schemaless_writer(body, schema.parsed, datum)
    return (schema.header if prefix is None else prefix) + body.getvalue()
