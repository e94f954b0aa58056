"""Dry-run store: reads fall through to the store below, writes stay in memory."""

import time
from collections.abc import Iterator, Sequence

from typing_extensions import override

from schemas.errors import StoreError
from storage.base import Clock, KeyValue, Merge
from storage.memory import MemoryStore


class DryRunStore(KeyValue):
    """A `KeyValue` over another one, `below`, that it never writes to; `forget_writes` undoes all writes so far.

    A value is copied from below when it is first read or merged, and then neither changes nor expires until the next
    `forget_writes`.
    """

    def __init__(self, below: KeyValue, clock: Clock = time.time) -> None:
        self._below, self._clock = below, clock
        self._written = MemoryStore(clock)
        #: Keys whose value is in `_written`, or whose absence is known: they are not read from below again.
        self._copied: set[bytes] = set()

    def forget_writes(self) -> None:
        """Forget every write and every copied value."""
        self._written, self._copied = MemoryStore(self._clock), set()

    @override
    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Read a key from below the first time, from memory afterwards."""
        self._copy(keys)
        return self._written.get_many(keys)

    @override
    def put_many(
        self, items: Sequence[tuple[bytes, bytes | None]], *, ttl_s: float | None = None
    ) -> list[StoreError | None]:
        """Write to memory; the store below is neither read nor written."""
        self._copied.update(key for key, _ in items)
        return self._written.put_many(items, ttl_s=ttl_s)

    @override
    def merge_many(
        self, keys: Sequence[bytes], merge: Merge, *, ttl_s: float | None = None
    ) -> list[bytes | None | StoreError]:
        """Read new keys from below, then merge in memory."""
        self._copy(keys)
        return self._written.merge_many(keys, merge, ttl_s=ttl_s)

    @override
    def scan(self, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Copy every matching pair from below into memory before the first one is returned."""
        self._copy([key for key, _ in self._below.scan(prefix, start)])
        return self._written.scan(prefix, start)

    @override
    def close(self) -> None:
        """Close the store below as well."""
        self._written.close()
        self._below.close()

    def _copy(self, keys: Sequence[bytes]) -> None:
        """Copy values that were not read yet from below; a key that was deleted here stays deleted."""
        new = [key for key in dict.fromkeys(keys) if key not in self._copied]
        found = zip(new, self._below.get_many(new), strict=True)
        self._written.put_many([(key, value) for key, value in found if value is not None])
        self._copied.update(new)
