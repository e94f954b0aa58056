"""A run of a sweep is worked on by one process at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = ".in_use"


@contextmanager
def held(directory: Path) -> Iterator[bool]:
    """Yield whether the directory was free; it is held while the block runs, and free again when the process dies."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
