"""Inputs that feeds have been seen to hold, and worse, for the fuzzer (`make fuzz-inputs`) and the quick test."""

import json
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from schemas.events import FIELDS, EventFormat
from schemas.fields import Unreadable
from schemas.times import DateOrder

FAR = datetime(9999, 12, 31, tzinfo=UTC).replace(tzinfo=None)
#: Stands in a value for lists in lists that Python itself could neither write nor compare.
DEEP = "@deep"
#: Values that broke something once, or stand at an edge.
KNOWN: list[Any] = [
    None, True, False, 0, -1, 2**53, 2**63, -(2**63) - 1, 10**400, 0.1, -0.0, 1e308, math.nan, math.inf, -math.inf, "", " ",
    "\ud83d", "\ud83d\ude00", "\0", "nan", "null", "2024-03-05", "2024-03-05T24:00", "2024-03-05T09:30:00+01:00",
    "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+14:00", "05/01/2004", "4/5/23", "5.1.2004 10:00", "1/1/1",
    "2024-W01-1", "20240305T093000Z", "remote", "full-time", "[/b]", "\x1b[2J", "\u202e", "a" * 300, [], {}, [[]],
    {"min": 1, "max": 2, "currency": "GBP", "unit": "YEAR", "estimated": True}, {"\ud83d": "1"}, {"": None},
    {"text": {}, "min": []}, "add", "update", "close", "remove", "open", "repost", DEEP,
]  # fmt: skip

scalars = st.one_of(
    st.sampled_from(KNOWN),
    st.text(st.characters(), max_size=12),
    st.integers(),
    st.floats(),
    st.datetimes(timezones=st.none() | st.just(UTC)).map(datetime.isoformat),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(), max_size=4), inner, max_size=3)
        | st.tuples(st.sampled_from((2, 9, 60)), inner).map(lambda pair: _nested(*pair))
    ),
    max_leaves=4,
)
NAMES = sorted(FIELDS | {"search_id", "query", "threshold", "top_k", "feed", "min", "x"})
rows = st.dictionaries(st.sampled_from(NAMES), values, max_size=7)
events = st.fixed_dictionaries(
    {
        "id": values,
        "op": st.sampled_from(("add", "update", "open", "close")),
        "ts": values,
        "posting": rows | values,
    }
)
NURSE: dict[str, Any] = {
    "title": "Night nurse",
    "description": "ward",
    "salary": {"min": 1, "max": 2, "unit": "HOUR"},
}
#: Rows without fault, of which variants change a field or two.
SOUND: list[dict[str, Any]] = [
    {"id": "p", "posted_at": "2024-03-05", "feed": "a", **NURSE},
    {"ts": "2024-03-05T09:30:00Z", "op": "add", "id": 17, "feed": "a", "posting": NURSE},
    {"search_id": "s", "query": "night nurse", "location": "Leeds", "threshold": 0.5, "top_k": 3},
]
objects = rows | events | st.sampled_from(SOUND)

#: What Parquet and Avro decode to beside JSON's types.
KNOWN_DECODED: list[Any] = [
    *KNOWN, b"", b"a-1", b"\xff\xfe", bytes(16), b"\xf0" * 16, b"job-000000000001", UUID(int=5), Decimal("7.00"),
    Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity"), Decimal("1E+999999"), Decimal("0.1"), time(1), timedelta(1),
    date.max, date(2024, 3, 5), FAR, FAR.replace(year=1), Unreadable("a bad cell"), ("a", 1), {1: b"\xff"},
]  # fmt: skip
decoded_scalars = st.one_of(
    scalars,
    st.binary(max_size=20),
    st.binary(min_size=16, max_size=16),
    st.uuids(),
    st.decimals(),
    st.datetimes(),
    st.dates(),
    st.sampled_from([time(1), timedelta(1), date.max, FAR, Decimal("1E+999999"), Unreadable("a bad cell")]),
)
decoded = st.sampled_from(SOUND) | st.dictionaries(
    st.sampled_from(NAMES),
    decoded_scalars | st.lists(decoded_scalars, max_size=3) | values,
    max_size=7,
)

formats = st.builds(
    EventFormat,
    date_order=st.none() | st.sampled_from(DateOrder),
    id_prefix=st.sampled_from(("", "a-", ":")),
    source_field=st.sampled_from(("", "feed", "id", "posting")),
)


def line(row: dict[str, Any]) -> bytes:
    """A row as a line of JSON, with surrogates as escapes and NaN as Python and JavaScript write it."""
    return json.dumps(row).replace(f'"{DEEP}"', "[" * 900 + "]" * 900).encode()


def damage(data: bytes, dice: Random) -> bytes:
    """Bytes with a piece overwritten, dropped, doubled, or all behind a place cut off."""
    at, length = dice.randrange(len(data) + 1), dice.randrange(9)
    pieces = (
        b"",
        b"\0" * length,
        b"\xff" * length,
        data[at : at + length] * 2,
        b'"',
        b"\\",
        b"[" * 999,
        b"NaN",
        b"1e999",
    )
    return data[:at] + dice.choice(pieces) + (b"" if dice.random() < 0.1 else data[at + length :])


def variants(
    row: dict[str, Any], dice: Random, count: int, known: Sequence[Any] = KNOWN
) -> Iterator[dict[str, Any]]:
    """The row with some of its fields, or those of its posting, replaced by known values or by one another."""
    for _ in range(count):
        made = dict(row)
        for _ in range(dice.randrange(1, 4)):
            posting = made.get("posting")
            if isinstance(posting, dict) and dice.random() < 0.5:
                made["posting"] = posting = dict(posting)
                posting[dice.choice(NAMES)] = _any_of(dice, row, known)
            else:
                made[dice.choice(NAMES)] = _any_of(dice, row, known)
        yield made


def _any_of(dice: Random, row: dict[str, Any], known: Sequence[Any]) -> Any:
    value = dice.choice(known if dice.random() < 0.7 or not row else list(row.values()))
    wrapped = (
        value,
        value,
        value,
        value,
        [value],
        [[value], value],
        {"min": value},
        {"x": value},
        {"text": value},
    )
    return dice.choice(wrapped)


dice = st.integers(0, 2**64 - 1).map(Random)


def _nested(depth: int, value: Any) -> Any:
    for _ in range(depth):
        value = [value]
    return value
