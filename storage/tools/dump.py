"""Feature records as JSON-able dictionaries: `nearline store dump`, `get` and `stats`."""

from collections import Counter
from dataclasses import fields

from schemas.merge import is_current
from schemas.records import FeatureRecord, State
from storage.features import FeatureStore

_FIRST = ("posting_id", "version", "state", "title", "company", "summary")
_NAMES = tuple(
    dict.fromkeys([*_FIRST, *(field.name for field in fields(FeatureRecord) if field.name != "vector")])
)
_NUMBER_BYTES = 2


def record_dict(record: FeatureRecord) -> dict[str, object]:
    """Every field by its name, hashes in hexadecimal, and `summary_current`: false while a summary is awaited.

    Of the vector only its width, `vector_width`: 0 where there is none.
    """
    row: dict[str, object] = {name: _plain(getattr(record, name)) for name in _NAMES}
    row["summary_current"] = is_current(record)
    row["vector_width"] = len(record.vector) // _NUMBER_BYTES
    return row


def store_stats(store: FeatureStore) -> dict[str, int]:
    """Counts over one scan: `features` (all records), each state, `awaiting_summary`, and the vectors of each model."""
    counts, models = Counter[str](), Counter[str]()
    for record in store.scan():
        counts["features"] += 1
        counts[str(record.state)] += 1
        counts["awaiting_summary"] += not is_current(record)
        models[f"vectors of {record.vector_model}"] += record.vector != b""
    always = {name: counts[name] for name in ("features", *State, "awaiting_summary")}
    return always | {name: count for name, count in sorted(models.items()) if count}


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, State) else value
