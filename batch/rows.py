"""Parse a row of a catalog by the documented posting format, or say why it is no posting."""

import base64
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any
from uuid import UUID

from batch.rows_read import CatalogRow, UnreadableRest
from schemas.errors import EventError
from schemas.events import DOCUMENTED, EventFormat, ParsedEvent, parse_object, parse_row
from schemas.fields import Unreadable

#: Levels of lists and objects in a decoded row; what lies deeper is no field of a posting.
_MOST_NESTED = 50
_MOST_DIGITS = 100


def _text(data: bytes) -> str:
    return data.decode(errors="replace")


def _hex(data: bytes) -> str:
    """Text where it is, else hexadecimal, so that different bytes look different."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f"0x{data.hex()}"


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is no posting: its bytes, and the reason."""

    data: bytes
    reason: str


def parse(row: CatalogRow | UnreadableRest, how: EventFormat = DOCUMENTED) -> ParsedEvent | BadRow:
    """Parse a row. The unreadable rest of a file is one bad row without data."""
    if isinstance(row, UnreadableRest):
        return BadRow(b"", row.reason)
    try:
        return parse_row(
            parse_object(row.data) if isinstance(row.data, bytes) else _fields(row.data, how), how
        )
    except EventError as error:
        return BadRow(data_of(row), str(error))


def data_of(row: CatalogRow | UnreadableRest) -> bytes:
    """The bytes of a row: a line as it stands, or the JSON of a decoded row; equal rows have equal bytes."""
    if isinstance(row, UnreadableRest):
        return b""
    if isinstance(row.data, bytes):
        return row.data
    return json.dumps(plain(row.data, _hex), sort_keys=True, ensure_ascii=False, default=repr).encode(
        errors="replace"
    )


def plain(value: Any, text_of: Callable[[bytes], str] = _text, nested: int = 0) -> Any:
    """A value that Parquet or Avro decodes to, in JSON's types: times as ISO 8601, NaN and infinity as None.

    `text_of` makes text of bytes. What JSON has no type for stays, and every field refuses it.
    """
    if nested > _MOST_NESTED:
        return Unreadable(f"a value nested more than {_MOST_NESTED} deep")
    if isinstance(value, dict):
        return {str(key): plain(part, text_of, nested + 1) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part, text_of, nested + 1) for part in value]
    return text_of(value) if isinstance(value, bytes) else _plain_scalar(value)


def _plain_scalar(value: Any) -> Any:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal):
        return _plain_number(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain_number(value: Decimal) -> str | Unreadable | None:
    if not value.is_finite():
        return None
    if abs(value.adjusted()) > _MOST_DIGITS:
        return Unreadable(f"a number of more than {_MOST_DIGITS} digits")
    return format(value, "f")


def _fields(row: dict[str, Any], how: EventFormat) -> dict[str, Any]:
    """A decoded row in JSON's types, but ids as they are: `schemas.ids` reads their bytes and numbers without loss."""
    ids = {name: row[name] for name in ("id", how.source_field) if isinstance(row.get(name), bytes | Decimal)}
    made: dict[str, Any] = plain(row)
    return made | ids


def in_sample(key: bytes, part: float) -> bool:
    """Whether a posting is in a sample of this part of all postings; the same for all its rows and in every run."""
    return part >= 1 or int.from_bytes(blake2b(key, digest_size=8).digest()) < part * 2**64


def dead_letter(file: str, row: int, bad: BadRow) -> bytes:
    """A line of the dead-letter file: the row's file, number, reason and bytes (base64 where not UTF-8)."""
    letter: dict[str, Any] = {"file": file, "row": row, "reason": bad.reason, "length": len(bad.data)}
    try:
        letter["data"] = bad.data.decode()
    except UnicodeDecodeError:
        letter["data_base64"] = base64.b64encode(bad.data).decode()
    return json.dumps(letter, ensure_ascii=False).encode(errors="replace") + b"\n"
