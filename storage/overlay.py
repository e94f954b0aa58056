"""A store seen through a sheet of glass: reads go through, writes stay on the glass. For dry runs."""

import time
from collections.abc import Iterator, Sequence

from typing_extensions import override

from schemas.errors import StoreError
from storage.base import Clock, KeyValue, Merge
from storage.memory import MemoryStore


class Overlay(KeyValue):
    """A `KeyValue` that never writes to the store below it; `wipe` forgets what was written since.

    What it has shown of the store below stays as it was then: it neither changes nor expires until it is wiped away.
    """

    def __init__(self, below: KeyValue, clock: Clock = time.time) -> None:
        self._below, self._clock = below, clock
        self._glass = MemoryStore(clock)
        self._covered: set[bytes] = set()

    def wipe(self) -> None:
        """Forget every write."""
        self._glass, self._covered = MemoryStore(self._clock), set()

    @override
    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        self._cover(keys)
        return self._glass.get_many(keys)

    @override
    def put_many(
        self, items: Sequence[tuple[bytes, bytes | None]], *, ttl_s: float | None = None
    ) -> list[StoreError | None]:
        self._covered.update(key for key, _ in items)
        return self._glass.put_many(items, ttl_s=ttl_s)

    @override
    def merge_many(
        self, keys: Sequence[bytes], merge: Merge, *, ttl_s: float | None = None
    ) -> list[bytes | None | StoreError]:
        self._cover(keys)
        return self._glass.merge_many(keys, merge, ttl_s=ttl_s)

    @override
    def scan(self, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        self._cover([key for key, _ in self._below.scan(prefix, start)])
        return self._glass.scan(prefix, start)

    @override
    def close(self) -> None:
        self._glass.close()
        self._below.close()

    def _cover(self, keys: Sequence[bytes]) -> None:
        """Bring onto the glass what lies below; what was deleted there stays deleted."""
        new = [key for key in dict.fromkeys(keys) if key not in self._covered]
        found = zip(new, self._below.get_many(new), strict=True)
        self._glass.put_many([(key, value) for key, value in found if value is not None])
        self._covered.update(new)
