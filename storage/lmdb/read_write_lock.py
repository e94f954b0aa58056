"""A read-write lock that prefers writers: new readers wait while a thread asks for exclusive access."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ReadWriteLock:
    """Many readers at once, or one thread alone. Only one thread at a time may ask for exclusive access."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers = 0
        self._exclusive = False

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold the lock as one of many readers."""
        with self._changed:
            self._changed.wait_for(lambda: not self._exclusive)
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the lock alone."""
        self.acquire_exclusive()
        try:
            yield
        finally:
            self.release_exclusive()

    def acquire_exclusive(self) -> None:
        """Stop new readers, and wait until the present ones have left."""
        with self._changed:
            self._exclusive = True
            self._changed.wait_for(lambda: self._readers == 0)

    def release_exclusive(self) -> None:
        """Let readers in again."""
        with self._changed:
            self._exclusive = False
            self._changed.notify_all()
