import random
from collections.abc import Iterable
from itertools import pairwise

import pytest

from schemas.errors import StoreError, ValueTooLarge
from storage.base import MAX_KEY_BYTES, MAX_VALUE_BYTES, KeyValue, Merge


def newest(versions: dict[bytes, int]) -> Merge:
    def merge(key: bytes, stored: bytes | None) -> bytes | None:
        return b"%d" % versions[key] if stored is None or int(stored) < versions[key] else None

    return merge


def test_what_was_put_is_read_in_the_order_of_the_keys(store: KeyValue) -> None:
    assert store.put_many([(b"b", b"2"), (b"a", b"1"), (b"c", b"")]) == [None, None, None]
    assert store.get_many([b"a", b"b", b"c", b"a"]) == [b"1", b"2", b"", b"1"]


def test_missing_keys_are_none_between_present_ones(store: KeyValue) -> None:
    store.put_many([(b"here", b"1")])
    assert store.get_many([b"absent", b"here", b"gone"]) == [None, b"1", None]


def test_empty_batches_do_nothing(store: KeyValue) -> None:
    assert store.get_many([]) == []
    assert store.put_many([]) == []
    assert store.merge_many([], lambda _key, _stored: b"x") == []


def test_the_last_of_duplicate_puts_wins(store: KeyValue) -> None:
    store.put_many([(b"k", b"1"), (b"k", b"2"), (b"k", None), (b"k", b"3"), (b"d", b"1"), (b"d", None)])
    assert store.get_many([b"k", b"d"]) == [b"3", None]


def test_deleting_what_is_missing_is_done(store: KeyValue) -> None:
    assert store.put_many([(b"absent", None)]) == [None]


def test_values_hold_any_bytes(store: KeyValue) -> None:
    values = [bytes(range(256)) * 5, b"\x00", "ไทย עברית 漢字 🦀".encode(), b"x" * 1_000_000]
    store.put_many([(b"%d" % i, value) for i, value in enumerate(values)])
    assert store.get_many([b"0", b"1", b"2", b"3"]) == values


def test_keys_that_begin_alike_stay_apart(store: KeyValue) -> None:
    keys = [b"a", b"a\x01", b"a\x01\x01", b"aa", "é".encode(), "e\u0301".encode(), b"\x7f"]
    store.put_many([(key, key[::-1]) for key in keys])
    assert store.get_many(keys) == [key[::-1] for key in keys]


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_versions_in_any_batches_leave_the_newest(store: KeyValue, seed: int) -> None:
    rng = random.Random(seed)
    events = [(b"k%d" % key, version) for key in range(20) for version in range(10)] * 2
    rng.shuffle(events)
    cuts = sorted(rng.sample(range(1, len(events)), 12))
    for start, stop in pairwise([0, *cuts, len(events)]):
        batch = events[start:stop]
        store.merge_many([key for key, _ in batch], in_turn(batch))
    assert store.get_many([b"k%d" % key for key in range(20)]) == [b"9"] * 20


def in_turn(batch: Iterable[tuple[bytes, int]]) -> Merge:
    events = iter(batch)

    def merge(key: bytes, stored: bytes | None) -> bytes | None:
        expected, version = next(events)
        assert expected == key
        return b"%d" % version if stored is None or int(stored) < version else None

    return merge


def test_an_equal_version_leaves_the_stored_value_and_returns_it(store: KeyValue) -> None:
    store.put_many([(b"k", b"5")])
    assert store.merge_many([b"k"], newest({b"k": 5})) == [b"5"]


def test_a_duplicate_in_a_merge_meets_what_its_predecessor_left(store: KeyValue) -> None:
    appended = store.merge_many([b"k", b"j", b"k", b"k"], lambda _key, stored: (stored or b"") + b"x")
    assert appended == [b"x", b"x", b"xx", b"xxx"]
    assert store.get_many([b"k", b"j"]) == [b"xxx", b"x"]


def test_a_merge_that_declines_a_missing_key_leaves_it_missing(store: KeyValue) -> None:
    assert store.merge_many([b"k"], lambda _key, _stored: None) == [None]
    assert store.get_many([b"k"]) == [None]


def test_a_refused_key_fails_alone(store: KeyValue) -> None:
    def merge(key: bytes, stored: bytes | None) -> bytes:
        if key == b"bad":
            raise StoreError("this one cannot be merged")
        return (stored or b"") + b"1"

    done = store.merge_many([b"a", b"bad", b"k" * 1_000, b"", b"b"], merge)
    assert [type(result) for result in done] == [bytes, StoreError, ValueTooLarge, ValueTooLarge, bytes]
    assert store.get_many([b"a", b"bad", b"b"]) == [b"1", None, b"1"]


def test_any_other_error_in_a_merge_writes_nothing_of_the_batch(store: KeyValue) -> None:
    store.put_many([(b"a", b"old")])

    def merge(key: bytes, _stored: bytes | None) -> bytes:
        if key == b"c":
            raise ZeroDivisionError
        return b"new"

    with pytest.raises(ZeroDivisionError):
        store.merge_many([b"a", b"b", b"a", b"c"], merge)
    assert store.get_many([b"a", b"b", b"c"]) == [b"old", None, None]
    assert store.put_many([(b"a", b"on")]) == [None]


def test_oversize_keys_and_values_fail_alone_and_the_limits_themselves_pass(store: KeyValue) -> None:
    key, value = b"k" * MAX_KEY_BYTES, b"v" * MAX_VALUE_BYTES
    done = store.put_many(
        [(key + b"k", b"1"), (key, b"1"), (b"v", value + b"v"), (b"w", value), (b"", b"1")], ttl_s=60
    )
    assert [type(result) for result in done] == [
        ValueTooLarge,
        type(None),
        ValueTooLarge,
        type(None),
        ValueTooLarge,
    ]
    assert store.get_many([key + b"k", key, b"v", b""]) == [None, b"1", None, None]
    assert store.get_many([b"w"]) == [value]
    assert type(store.merge_many([b"m"], lambda _key, _stored: value + b"v")[0]) is ValueTooLarge


def test_a_key_that_is_no_text_or_holds_nul_fails_alone(store: KeyValue) -> None:
    keys = [b"\xff", b"a", b"b\x00", "�".encode()]
    assert [type(e) for e in store.put_many([(key, b"1") for key in keys])] == [
        StoreError,
        type(None),
        StoreError,
        type(None),
    ]
    done = store.merge_many(keys, lambda _key, _stored: b"2")
    assert [type(result) for result in done] == [StoreError, bytes, StoreError, bytes]
    assert store.get_many(keys) == [None, b"2", None, b"2"]


def test_a_scan_is_in_the_order_of_the_keys_bytes(store: KeyValue) -> None:
    keys = sorted(
        key.encode() for key in ["a", "B", "ä", "z", "😀", "\uffff", "看", "a/b", "a b", "a%", "\x7f"]
    )
    store.put_many([(key, b"") for key in reversed(keys)])
    assert [key for key, _ in store.scan()] == keys
    assert [key for key, _ in store.scan(b"a")] == [key for key in keys if key.startswith(b"a")]


def test_a_scan_gives_its_prefix_in_key_order(store: KeyValue) -> None:
    rows = [(b"f/1/%05d" % i, b"%d" % i) for i in range(2_500)]
    store.put_many([*rows, (b"f/0/x", b""), (b"f/2/x", b""), (b"t/1/00001", b"text")])
    assert list(store.scan(b"f/1/")) == rows
    assert len(list(store.scan())) == 2_503
    assert list(store.scan(b"f/1/", b"f/1/01200")) == rows[1_200:]
    assert list(store.scan(b"f/1/", b"f/1/012")) == rows[1_200:]
    assert list(store.scan(b"f/1/", b"a")) == rows
    assert list(store.scan(b"f/1/", b"g")) == []
    assert list(store.scan(b"none")) == []


def test_a_scan_goes_on_while_rows_are_written_and_deleted(store: KeyValue) -> None:
    keys = [b"%05d" % i for i in range(3_000)]
    store.put_many([(key, b"old") for key in keys])
    seen: list[bytes] = []
    deleted = {b"%05d" % i for i in range(0, 3_000, 7)}
    for i, (key, _) in enumerate(store.scan()):
        if i % 500 == 0:
            store.put_many([(key, None) for key in deleted if i <= int(key) < i + 500])
            store.put_many([(key + b"x", b"new"), (b"%05d" % (i + 200), b"new")])
        seen.append(key)
    assert seen == sorted(set(seen))
    assert set(seen) >= set(keys) - deleted


def test_two_scans_at_once_do_not_disturb_each_other(store: KeyValue) -> None:
    store.put_many([(b"%05d" % i, b"") for i in range(1_500)])
    assert [a == b for a, b in zip(store.scan(), store.scan(), strict=True)] == [True] * 1_500


def test_closing_twice_is_fine_and_a_closed_store_says_so(store: KeyValue) -> None:
    store.close()
    store.close()
    with pytest.raises(ValueError, match="closed"):
        store.get_many([b"k"])
    with pytest.raises(ValueError, match="closed"):
        store.put_many([(b"k", b"1")])
