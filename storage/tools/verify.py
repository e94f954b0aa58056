"""`nearline store verify`: what two stores do not agree on, posting by posting and field by field."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from schemas.codec import Codec
from storage.base import KeyValue
from storage.features import FEATURES, TEXTS, decoded, read_text
from storage.tools.dump import record_dict
from storage.tools.row_kinds import kinds

Row = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field of one row (`key` as text) on which two stores differ; field `row` where one of them has none."""

    kind: str
    key: str
    field: str
    source: object
    target: object


def differences(source: KeyValue, target: KeyValue) -> Iterator[Difference]:
    """Every difference in key order. Raises StoreUnavailable, and StoreError for a row that no schema can read."""
    codec = Codec()
    for kind in kinds(codec):
        for key, ours, theirs in _paired(source.scan(kind.prefix), target.scan(kind.prefix)):
            if ours != theirs:
                name = key[len(kind.prefix) :].decode()
                for field, before, after in _fields_that_differ(codec, key, ours, theirs):
                    yield Difference(kind=kind.name, key=name, field=field, source=before, target=after)


def _fields_that_differ(
    codec: Codec, key: bytes, ours: bytes | None, theirs: bytes | None
) -> Iterator[tuple[str, object, object]]:
    if ours is None or theirs is None:
        yield "row", _presence(ours), _presence(theirs)
        return
    before, after = _fields(codec, key, ours), _fields(codec, key, theirs)
    same = True
    for name, value in before.items():
        if value != after[name]:
            same = False
            yield name, value, after[name]
    if same:  # the same record in another version of its schema
        yield "bytes", ours.hex(), theirs.hex()


def _fields(codec: Codec, key: bytes, data: bytes) -> dict[str, object]:
    """A row's fields by name; a kind without fields of its own has its bytes."""
    if key.startswith(FEATURES):
        return record_dict(decoded(codec, key, data))
    if key.startswith(TEXTS):
        text = read_text(key, data)
        return {each.name: _shown(getattr(text, each.name)) for each in fields(text)}
    return {"bytes": data.hex()}


def _presence(data: bytes | None) -> str:
    return "missing" if data is None else "present"


def _shown(value: Any) -> object:
    return value.hex() if isinstance(value, bytes) else value


def _paired(left: Iterator[Row], right: Iterator[Row]) -> Iterator[tuple[bytes, bytes | None, bytes | None]]:
    """Both scans merged by key."""
    one, other = next(left, None), next(right, None)
    while one is not None or other is not None:
        key = min(row[0] for row in (one, other) if row is not None)
        ours = theirs = None
        if one is not None and one[0] == key:
            ours, one = one[1], next(left, None)
        if other is not None and other[0] == key:
            theirs, other = other[1], next(right, None)
        yield key, ours, theirs
