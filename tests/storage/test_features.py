import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import decode, encode
from schemas.errors import StoreError, ValueTooLarge
from schemas.keys import feature_key, text_hash, text_key
from schemas.merge import delta, merge
from schemas.records import FeatureRecord, Op, Posting, PostingUpdate, State
from schemas.vectors import with_vector
from storage.base import MAX_VALUE_BYTES, KeyValue, Merge
from storage.features import FeatureStore, FeatureWrite, RawText
from storage.memory import MemoryStore
from storage.opening import open_store
from storage.tools.dump import record_dict, store_stats


def event(op: Op, version: int, text: str = "", posting_id: str = "p") -> FeatureRecord:
    posting = (
        Posting(title=f"Nurse {text}", description=text) if op in {Op.ADD, Op.UPDATE, Op.REPOST} else None
    )
    update = PostingUpdate(posting_id=posting_id, version=version, op=op, posting=posting)
    return delta(update, text_hash(text), textless=not text)


def text_of(record: FeatureRecord, text: str) -> RawText | None:
    if record.removed_version >= 0:
        return RawText(content_version=record.removed_version, removed=True)
    if record.content_version < 0:
        return None
    return RawText(content_version=record.content_version, content_hash=record.content_hash, description=text)


def blind(record: FeatureRecord, text: str = "") -> FeatureWrite:
    return FeatureWrite(posting_id=record.posting_id, seen=None, record=record, text=text_of(record, text))


def fresh() -> FeatureStore:
    return FeatureStore(MemoryStore(lambda: 0.0))


def test_a_record_and_its_text_are_read_back_and_the_stored_bytes_are_returned() -> None:
    store = fresh()
    record = event(Op.ADD, 5, "wards at night")
    assert store.merge_many([blind(record, "wards at night")]) == [encode(record)]
    assert store.read_raw(["p", "q"]) == [encode(record), None]
    assert store.get_many(["q", "p"]) == [None, record]
    assert store.texts(["p", "q"]) == [text_of(record, "wards at night"), None]


def test_what_came_between_the_read_and_the_write_is_merged_and_returned() -> None:
    store = fresh()
    first, second, third = event(Op.ADD, 1, "a"), event(Op.UPDATE, 9, "c"), event(Op.CLOSE, 5)
    store.merge_many([blind(first, "a")])
    seen = store.read_raw(["p"])[0]
    store.merge_many([blind(second, "c")])
    stale = FeatureWrite(posting_id="p", seen=seen, record=merge(first, third))
    (stored,) = store.merge_many([stale])
    assert isinstance(stored, bytes)
    assert decode(FeatureRecord, stored) == merge(merge(first, second), third)
    assert store.read_raw(["p"]) == [stored]
    assert store.texts(["p"]) == [text_of(second, "c")]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_blind_writes_in_any_order_and_batches_end_in_the_same_record_and_text(seed: int) -> None:
    rng = random.Random(seed)
    ops = [Op.ADD, *rng.choices(list(Op), k=6)]
    events = [(event(op, rng.randrange(8), f"text {i % 3}"), f"text {i % 3}") for i, op in enumerate(ops)]
    ends = set()
    for _ in range(4):
        store, left = fresh(), events * 2
        rng.shuffle(left)
        while left:
            size = rng.randint(1, 4)
            store.merge_many([blind(record, text) for record, text in left[:size]])
            left = left[size:]
        ends.add((store.read_raw(["p"])[0], store.texts(["p"])[0]))
    assert len(ends) == 1


def test_a_removal_erases_the_text_at_its_own_version_and_a_newer_text_comes_back() -> None:
    store = fresh()
    store.merge_many([blind(event(Op.REMOVE, 5)), blind(event(Op.ADD, 5, "too old"), "too old")])
    assert store.texts(["p"]) == [None]
    store.merge_many([blind(event(Op.ADD, 6, "new"), "new")])
    text = store.texts(["p"])[0]
    assert text is not None
    assert text.description == "new"


class Counting:
    """A store that counts the values that merges write."""

    def __init__(self, kv: KeyValue) -> None:
        self.kv, self.written = kv, 0
        self.get_many, self.put_many, self.scan, self.close = kv.get_many, kv.put_many, kv.scan, kv.close

    def merge_many(
        self, keys: Sequence[bytes], merge: Merge, *, ttl_s: float | None = None
    ) -> list[bytes | None | StoreError]:
        def counted(key: bytes, stored: bytes | None) -> bytes | None:
            merged = merge(key, stored)
            self.written += merged is not None
            return merged

        return self.kv.merge_many(keys, counted, ttl_s=ttl_s)


def test_a_redelivered_event_writes_nothing_and_returns_the_current_record() -> None:
    counting = Counting(MemoryStore(lambda: 0.0))
    store = FeatureStore(counting)
    writes = [blind(event(Op.ADD, 5, "a"), "a")]
    first = store.merge_many(writes)
    assert counting.written == 2
    assert store.merge_many(writes) == first
    assert counting.written == 2


def test_a_posting_with_a_part_too_large_fails_alone_and_is_not_half_written() -> None:
    store = fresh()
    huge = "x" * MAX_VALUE_BYTES
    results = store.merge_many(
        [blind(event(Op.ADD, 1, "a", "small"), "a"), blind(event(Op.ADD, 1, "b", "large"), huge)]
    )
    assert [type(result) for result in results] == [bytes, ValueTooLarge]
    assert store.read_raw(["large"]) == [None]
    small, large = store.texts(["small", "large"])
    assert small is not None
    assert (small.description, large) == ("a", None)


@pytest.mark.parametrize("key", [feature_key("p"), text_key("p")])
def test_damaged_rows_are_named_and_fail_alone(key: bytes) -> None:
    kv = MemoryStore(lambda: 0.0)
    store = FeatureStore(kv)
    kv.put_many([(key, b"\xc3\x01damage")])
    results = store.merge_many([blind(event(Op.ADD, 1, "a"), "a"), blind(event(Op.ADD, 1, "b", "q"), "b")])
    assert [isinstance(result, StoreError) for result in results] == [True, False]
    with pytest.raises(StoreError, match="p"):
        store.get_many(["q", "p"]) if key == feature_key("p") else store.texts(["q", "p"])


def test_ids_of_any_length_and_script_keep_apart(tmp_path: Path) -> None:
    kv = open_store(f"lmdb://{tmp_path}/s?sync=os")
    store = FeatureStore(kv)
    ids = ["é" * 1_000, "é" * 1_001, "漢字", "a/b", "a", " ", "t/1/a"]
    store.merge_many([blind(event(Op.ADD, i, name, name), name) for i, name in enumerate(ids)])
    records = store.get_many(ids)
    assert [record and record.posting_id for record in records] == ids
    assert [text and text.description for text in store.texts(ids)] == ids
    assert sorted(record.posting_id for record in store.scan()) == sorted(ids)
    kv.close()


def test_a_dump_tells_a_vectors_width_and_the_count_of_each_model() -> None:
    store = fresh()
    texts = [event(Op.ADD, n, name, name) for n, name in enumerate(("a", "b", "c"))]
    store.merge_many([blind(with_vector(r, b"12" * 8, "m@1", 1), r.posting_id) for r in texts[:2]])
    store.merge_many([blind(with_vector(texts[2], b"", "m@1", 1), "c")])
    rows = [record_dict(record) for record in store.scan()]
    assert [(row["vector_width"], row["vector_model"]) for row in rows] == [(8, "m@1")] * 2 + [(0, "m@1")]
    assert store_stats(store)["vectors of m@1"] == 2


def test_a_dump_is_plain_and_says_what_waits_for_its_summary() -> None:
    store = fresh()
    store.merge_many(
        [
            blind(event(Op.ADD, 5, "a", "waits"), "a"),
            blind(event(Op.ADD, 6, "", "empty")),
            blind(event(Op.REMOVE, 7, "", "gone")),
        ]
    )
    rows = [record_dict(record) for record in store.scan()]
    assert [(row["posting_id"], row["version"], row["state"], row["summary_current"]) for row in rows] == [
        ("empty", 6, "open", True),
        ("gone", 7, "removed", True),
        ("waits", 5, "open", False),
    ]
    assert list(rows[0])[:6] == ["posting_id", "version", "state", "title", "company", "summary"]
    assert all(type(value) in {str, int, bool, type(None)} for row in rows for value in row.values())
    assert store_stats(store) == {"features": 3, "open": 2, "closed": 0, "removed": 1, "awaiting_summary": 1}
    assert State.CLOSED not in {row["state"] for row in rows}
