"""Encode records as a foreign or older writer would."""

from dataclasses import asdict
from io import BytesIO
from typing import Any
from zlib import crc32

from fastavro import schemaless_writer

from schemas import avro
from schemas.codec import Record


def as_datum(record: Record) -> dict[str, Any]:
    """The record as the dictionary that fastavro encodes."""
    return asdict(record)


def sealed(data: bytes) -> bytes:
    """Append the checksum of the bytes."""
    return data + crc32(data).to_bytes(4, "big")


def written(schema: avro.Schema, datum: dict[str, Any], prefix: bytes | None = None) -> bytes:
    """A datum encoded with any schema, after the header of single-object encoding or another prefix."""
    body = BytesIO()
    schemaless_writer(body, schema.parsed, datum)
    return (schema.header if prefix is None else prefix) + body.getvalue()
