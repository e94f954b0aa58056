"""The id of a posting or a search from a decoded value: two values that differ never become one id.

A value that lost what told it from others (a float beyond 2^53, bytes that are no text, half a surrogate pair, the
`nan` of a table without ids) is refused instead of rounded, replaced or shortened.
"""

import math
from decimal import Decimal
from typing import Any
from uuid import RFC_4122, UUID

from schemas import fields
from schemas.errors import EventError

#: From here on a float no longer tells a whole number from its neighbour.
_FIRST_INEXACT = 2**53
_UUID_BYTES = 16
_MOST_DIGITS = 100
#: What tables and scripts write as text where there is no value; in lower case.
_NO_VALUE = frozenset(
    [
        "nan",
        "none",
        "null",
        "<na>",
        "nat",
        "undefined",
        "n/a",
        "#n/a",
        "(null)",
        "\\n",
        "inf",
        "-inf",
        "infinity",
        "-infinity",
        "-nan",
        "#ref!",
        "#value!",
        "#name?",
        "#null!",
        "#num!",
        "#div/0!",
    ]
)


def identifier(value: Any, name: str) -> str:
    """The id as text: of a whole number its digits (4012345 and 4012345.0 are one id), of a UUID its usual form.

    Raises EventError, which names the field, for what is missing, no id, or not told from other ids for certain.
    """
    if isinstance(value, bool):
        raise EventError(f"{name} must be text or a whole number, not true or false")
    if isinstance(value, bytes):
        return _of_bytes(value, name)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, int | float | Decimal):
        return _of_number(value, name)
    if not isinstance(value, str):
        # one wording for every field: a list, an object, a value that its file cannot give
        return _of_text(fields.text(value, name) or "", name)
    return _of_text(value, name)


def from_source(source: Any, name: str, posting_id: str) -> str:
    """The id of a posting of one of several sources: `source:id`, with `%` and `:` of the source as %25 and %3A."""
    said = identifier(source, name)
    return said.replace("%", "%25").replace(":", "%3A") + ":" + posting_id


def _of_number(value: float | Decimal, name: str) -> str:
    if not (
        isinstance(value, int) or (value.is_finite() if isinstance(value, Decimal) else math.isfinite(value))
    ):
        raise EventError(f"{name} is missing: {value} is no id")
    if isinstance(value, Decimal) and value.adjusted() >= _MOST_DIGITS:
        raise EventError(f"{name} is a number of more than {_MOST_DIGITS} digits")
    if value != int(value):
        raise EventError(f"{name} must be text or a whole number, not {value}")
    if isinstance(value, float) and abs(value) >= _FIRST_INEXACT:
        raise EventError(
            f"{name} {value!r} is a floating-point number above 2^53, which several ids share: write it as text"
        )
    return str(int(value))


def _of_bytes(value: bytes, name: str) -> str:
    if _is_uuid(value):
        return str(UUID(bytes=value))
    try:
        said = value.decode()
    except UnicodeDecodeError:
        said = ""
    if said.isprintable() and said:
        return _of_text(said, name)
    if len(value) == _UUID_BYTES:
        return str(UUID(bytes=value))
    if not value:
        raise EventError(f"{name} is missing or blank")
    raise EventError(f"{name} is {len(value)} bytes that are neither text nor a UUID: write it as text")


def _is_uuid(value: bytes) -> bool:
    """Whether 16 bytes have the variant and a version of a UUID, which no text in ASCII has."""
    if len(value) != _UUID_BYTES:
        return False
    found = UUID(bytes=value)
    return found.variant == RFC_4122 and 1 <= (found.version or 0) <= 8


def _of_text(value: str, name: str) -> str:
    said = value.strip()
    if not said:
        raise EventError(f"{name} is missing or blank")
    if said.lower() in _NO_VALUE:
        raise EventError(f"{name} is missing: {said!r} stands for no value")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise EventError(f"{name} holds half a surrogate pair, which no message can hold") from error
    return value
