"""A row of a catalog as the update that it means, by the documented posting format, or why it means none."""

import base64
import json
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from batch.readers import Broken, Row
from schemas.errors import EventError
from schemas.events import ParsedEvent, parse_object, parse_row


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is no posting: what it held, and why."""

    data: bytes
    reason: str


def parse(row: Row | Broken) -> ParsedEvent | BadRow:
    """What the row says. A file that breaks off is one bad row without data."""
    if isinstance(row, Broken):
        return BadRow(b"", row.reason)
    try:
        return parse_row(parse_object(row.data) if isinstance(row.data, bytes) else plain(row.data))
    except EventError as error:
        return BadRow(data_of(row), str(error))


def data_of(row: Row | Broken) -> bytes:
    """The row's bytes: a line as it stands, a decoded row as JSON; equal rows have equal bytes."""
    if isinstance(row, Broken):
        return b""
    if isinstance(row.data, bytes):
        return row.data
    return json.dumps(plain(row.data), sort_keys=True, ensure_ascii=False, default=repr).encode(
        errors="replace"
    )


def plain(value: Any) -> Any:
    """What Parquet and Avro decode to as JSON would have it: times in ISO 8601, numbers, texts, no NaN."""
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value


def in_sample(key: bytes, part: float) -> bool:
    """Whether a posting belongs to a sample of this part of all: the same answer in every run and for all its rows."""
    return part >= 1 or int.from_bytes(blake2b(key, digest_size=8).digest()) < part * 2**64


def dead_letter(file: str, row: int, bad: BadRow) -> bytes:
    """A line of the dead-letter dataset: the row's place, the reason, and its bytes (base64 unless they are UTF-8)."""
    letter: dict[str, Any] = {"file": file, "row": row, "reason": bad.reason, "length": len(bad.data)}
    try:
        letter["data"] = bad.data.decode()
    except UnicodeDecodeError:
        letter["data_base64"] = base64.b64encode(bad.data).decode()
    return json.dumps(letter, ensure_ascii=False).encode() + b"\n"
