"""`nearline store verify`: compare two stores row by row and field by field."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields

from schemas.codec import Codec
from schemas.merge import renewed
from schemas.records import FeatureRecord
from storage.base import KeyValue
from storage.features import FEATURES, TEXTS, RawText, decoded, read_text
from storage.tools.row_kinds import RowKind, kinds

Row = tuple[bytes, bytes]

SUMMARY_FIELDS = frozenset(
    (
        *("summary", "summary_version", "summary_hash", "summary_tokens", "input_tokens"),
        *("model", "generation", "vector", "vector_hash", "vector_model", "vector_generation"),
    )
)
"""The fields of a feature record that a new generation of summarizer or embedder changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field of one row (`key` without prefix) that differs; field `row` where one store lacks the row."""

    kind: str
    key: str
    field: str
    left: object
    right: object


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifySettings:
    """What to compare.

    `postings_only`: records and raw texts, without the alerts' ledger and quotas, which only a store that alerts has.
    `except_summaries`: SUMMARY_FIELDS may differ, since one store has summaries of a newer generation.
    `newer_right`: the right store is written to meanwhile: a posting that is newer there, or only there, does not
    differ; nor do ledger and quotas, which have no version to compare.
    """

    postings_only: bool = False
    except_summaries: bool = False
    newer_right: bool = False


@dataclass(slots=True)
class Compared:
    """How many rows were compared, and how many of those differ, by kind."""

    rows: Counter[str] = field(default_factory=Counter)
    different: Counter[str] = field(default_factory=Counter)


def differences(
    left: KeyValue, right: KeyValue, compared: Compared, settings: VerifySettings | None = None
) -> Iterator[Difference]:
    """Every difference, kind by kind in key order; `compared` counts along.

    Rows are compared by what they say: a record in an older version of its schema equals the same record in a newer
    one. A store that is written to during the comparison differs by those writes, unless `newer_right` allows them.
    Raises StoreUnavailable, and StoreError for a row that no schema here can read.
    """
    comparison = _Comparison(settings or VerifySettings())
    for kind in comparison.kinds():
        for key, ours, theirs in _paired(left.scan(kind.prefix), right.scan(kind.prefix)):
            found = comparison.fields_that_differ(key, ours, theirs)
            compared.rows[kind.name] += 1
            compared.different[kind.name] += bool(found)
            name = key[len(kind.prefix) :].decode()
            for each, before, after in found:
                yield Difference(kind=kind.name, key=name, field=each, left=before, right=after)


class _Comparison:
    """Compares two rows of one key."""

    def __init__(self, settings: VerifySettings) -> None:
        self._settings = settings
        self._codec = Codec()

    def kinds(self) -> list[RowKind]:
        """The kinds of rows to compare."""
        only_postings = self._settings.postings_only or self._settings.newer_right
        return [kind for kind in kinds(self._codec) if not only_postings or kind.prefix in {FEATURES, TEXTS}]

    def fields_that_differ(
        self, key: bytes, left: bytes | None, right: bytes | None
    ) -> list[tuple[str, object, object]]:
        """Each field that differs with its two values; None is a row that a store does not have."""
        if left == right or (left is None and self._settings.newer_right):
            return []
        if left is None or right is None:
            return [("row", _presence(left), _presence(right))]
        ours, theirs = self._read(key, left), self._read(key, right)
        if self._settings.newer_right and _version(theirs) > _version(ours):
            return []
        ignored = SUMMARY_FIELDS if self._settings.except_summaries and key.startswith(FEATURES) else ()
        pairs = [(name, _value(ours, name), _value(theirs, name)) for name in _names(ours)]
        return [(name, a, b) for name, a, b in pairs if a != b and name not in ignored]

    def _read(self, key: bytes, data: bytes) -> FeatureRecord | RawText | bytes:
        if key.startswith(FEATURES):
            return renewed(decoded(self._codec, key, data))
        return read_text(key, data) if key.startswith(TEXTS) else data


def _version(row: FeatureRecord | RawText | bytes) -> int:
    if isinstance(row, bytes):
        return 0
    return row.version if isinstance(row, FeatureRecord) else row.content_version


def _names(row: FeatureRecord | RawText | bytes) -> list[str]:
    """A row's fields; a ledger entry or quota has its bytes only."""
    return ["bytes"] if isinstance(row, bytes) else [each.name for each in fields(row)]


def _value(row: FeatureRecord | RawText | bytes, name: str) -> object:
    """A field as JSON can hold it: bytes in hexadecimal."""
    value = row if isinstance(row, bytes) else getattr(row, name)
    return value.hex() if isinstance(value, bytes) else value


def _presence(data: bytes | None) -> str:
    return "missing" if data is None else "present"


def _paired(left: Iterator[Row], right: Iterator[Row]) -> Iterator[tuple[bytes, bytes | None, bytes | None]]:
    """Two scans side by side: each key of either with its value in both, None where one does not have it."""
    a, b = next(left, None), next(right, None)
    while a is not None or b is not None:
        key = min(row[0] for row in (a, b) if row is not None)
        ours = theirs = None
        if a is not None and a[0] == key:
            ours, a = a[1], next(left, None)
        if b is not None and b[0] == key:
            theirs, b = b[1], next(right, None)
        yield key, ours, theirs
