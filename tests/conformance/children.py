"""What the suite's child processes do: `python -m tests.conformance.children COMMAND URL ...`."""

import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

from schemas.errors import StoreFull
from storage.base import KeyValue
from storage.opening import open_store

BATCH = 50
COUNTERS = [b"counter%d" % i for i in range(10)]


def add_one(_key: bytes, stored: bytes | None) -> bytes:
    return b"%d" % (int(stored or b"0") + 1)


def increment(store: KeyValue, batches: str) -> None:
    """Add one to every counter, `batches` times."""
    for _ in range(int(batches)):
        assert not any(isinstance(result, Exception) for result in store.merge_many(COUNTERS, add_one))


def write_for_ever(store: KeyValue) -> None:
    """Batches of rows, each acknowledged by a line with its number once the store has it."""
    for number in count():
        rows = {b"%06d/%03d" % (number, i): b"%d" % number * 200 for i in range(BATCH)}
        results = store.merge_many(list(rows), lambda key, _: rows[key])  # noqa: B023
        assert results == list(rows.values())
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


def fill_disk(store: KeyValue, ballast: str) -> None:
    """Write until the disk is full, make room by deleting the ballast, go on; nothing acknowledged may be missing."""
    acknowledged, message = 0, ""
    try:
        for number in count():
            store.put_many([(b"%06d/%d" % (number, i), b"x" * 1_000) for i in range(50)])
            acknowledged = number + 1
    except StoreFull as full:
        message = str(full)
    assert "make room" in message
    held = store.get_many([b"%06d/%d" % (number, i) for number in range(acknowledged) for i in range(50)])
    assert held == [b"x" * 1_000] * 50 * acknowledged
    assert acknowledged > 3
    Path(ballast).unlink()
    assert store.put_many([(b"after/%d" % i, b"y" * 1_000) for i in range(200)]) == [None] * 200


COMMANDS: dict[str, Callable[..., None]] = {
    "increment": increment,
    "write": write_for_ever,
    "fill-disk": fill_disk,
}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](open_store(sys.argv[2]), *sys.argv[3:])
