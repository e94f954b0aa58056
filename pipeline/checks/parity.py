"""Two stores posting by posting: what a stream made beside what a backfill made."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import groupby, islice
from operator import itemgetter

from schemas.keys import feature_key
from schemas.records import FeatureRecord
from storage.features import FeatureStore

_FIELDS = [field.name for field in fields(FeatureRecord) if field.name != "posting_id"]
#: What a new summarizer generation changes.
SUMMARY = frozenset(
    ("summary", "summary_version", "summary_hash", "summary_tokens", "input_tokens", "model", "generation")
)
#: Texts are read for this many postings at once.
PAGE = 500


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs; field `posting` where one store does not have it, `text` for the raw text."""

    posting_id: str
    field: str
    left: object
    right: object


@dataclass(slots=True)
class Compared:
    """How many postings were looked at, and how many of them differ."""

    postings: int = 0
    different: int = 0


def compare(
    left: FeatureStore,
    right: FeatureStore,
    compared: Compared,
    *,
    ignored: frozenset[str] = frozenset(),
    newer_right: bool = False,
) -> Iterator[Difference]:
    """Every field but `ignored` that differs, in the order of the store's keys; `compared` counts along.

    Both stores have to stand still, or what is written meanwhile is seen in one of them only; `newer_right` expects
    just that of the right one: a posting that is newer there, or only there, does not differ. Raises as the stores do.
    """
    pairs = _pairs(left.scan(), right.scan())
    while page := list(islice(pairs, PAGE)):
        ids = [posting_id for posting_id, _, _ in page]
        texts = zip(left.texts(ids), right.texts(ids), strict=True)
        for (posting_id, a, b), (left_text, right_text) in zip(page, texts, strict=True):
            moved_on = newer_right and b is not None and (a is None or b.version > a.version)
            found = [d for d in differences(posting_id, a, b) if d.field not in ignored and not moved_on]
            if a is not None and b is not None and not moved_on and left_text != right_text:
                found.append(Difference(posting_id, "text", left_text, right_text))
            compared.postings += 1
            compared.different += bool(found)
            yield from found


def differences(posting_id: str, left: FeatureRecord | None, right: FeatureRecord | None) -> list[Difference]:
    """The fields in which two records of one posting differ."""
    if left is None or right is None:
        return [Difference(posting_id, "posting", left is not None, right is not None)]
    if left == right:
        return []
    pairs = [(name, getattr(left, name), getattr(right, name)) for name in _FIELDS]
    return [Difference(posting_id, name, a, b) for name, a, b in pairs if a != b]


def _pairs(
    left: Iterator[FeatureRecord], right: Iterator[FeatureRecord]
) -> Iterator[tuple[str, FeatureRecord | None, FeatureRecord | None]]:
    """Both scans side by side, by their keys' order; a side without the posting is None."""
    merged = heapq.merge(_keyed(left, 0), _keyed(right, 1), key=itemgetter(0, 1))
    for _, group in groupby(merged, key=itemgetter(0)):
        found = {side: record for _, side, record in group}
        yield next(iter(found.values())).posting_id, found.get(0), found.get(1)


def _keyed(records: Iterator[FeatureRecord], side: int) -> Iterator[tuple[bytes, int, FeatureRecord]]:
    return ((feature_key(record.posting_id), side, record) for record in records)
