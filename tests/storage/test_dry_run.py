"""What a dry run writes stays on the glass."""

import time

from storage.memory import MemoryStore
from storage.overlay import Overlay


def test_reads_see_through_and_writes_stay_on_top_until_they_are_wiped() -> None:
    below = MemoryStore(time.time)
    below.put_many([(b"a", b"1"), (b"b", b"2")])
    overlay = Overlay(below)
    assert overlay.merge_many([b"a", b"c"], lambda _, value: (value or b"0") + b"!") == [b"1!", b"0!"]
    overlay.put_many([(b"b", None)])
    assert overlay.get_many([b"a", b"b", b"c"]) == [b"1!", None, b"0!"]
    assert list(overlay.scan()) == [(b"a", b"1!"), (b"c", b"0!")]
    assert list(below.scan()) == [(b"a", b"1"), (b"b", b"2")]
    overlay.wipe()
    assert list(overlay.scan()) == [(b"a", b"1"), (b"b", b"2")]
