"""A dry run reads the store below and writes to memory only."""

import time

from storage.dry_run import DryRunStore
from storage.memory import MemoryStore


def test_reads_see_through_and_writes_stay_on_top_until_they_are_wiped() -> None:
    below = MemoryStore(time.time)
    below.put_many([(b"a", b"1"), (b"b", b"2")])
    store = DryRunStore(below)
    assert store.merge_many([b"a", b"c"], lambda _, value: (value or b"0") + b"!") == [b"1!", b"0!"]
    store.put_many([(b"b", None)])
    assert store.get_many([b"a", b"b", b"c"]) == [b"1!", None, b"0!"]
    assert list(store.scan()) == [(b"a", b"1!"), (b"c", b"0!")]
    assert list(below.scan()) == [(b"a", b"1"), (b"b", b"2")]
    store.forget_writes()
    assert list(store.scan()) == [(b"a", b"1"), (b"b", b"2")]
