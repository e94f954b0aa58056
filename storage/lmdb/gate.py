"""Many readers, or one who is alone with what they read; who wants to be alone is not starved by new readers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Readers pass while it is open. Shutting waits for those inside; only one thread at a time may shut it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers = 0
        self._is_shut = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Be one reader of many."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_shut)
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be inside without any reader."""
        self.shut()
        try:
            yield
        finally:
            self.open()

    def shut(self) -> None:
        """Let nobody in, and wait until nobody is inside."""
        with self._changed:
            self._is_shut = True
            self._changed.wait_for(lambda: self._readers == 0)

    def open(self) -> None:
        """Let readers in again."""
        with self._changed:
            self._is_shut = False
            self._changed.notify_all()
