"""The in-process back end, for tests, notebooks and `nearline replay --in-process`: its data end with the process."""

import heapq
import math
import threading
from collections.abc import Iterator, Sequence

from typing_extensions import override

from schemas.errors import StoreError
from storage.base import Clock, KeyValue, Merge, refusal


class MemoryStore(KeyValue):
    """A dictionary behind the `KeyValue` protocol; one lock makes each bulk call atomic."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._values: dict[bytes, tuple[float, bytes]] | None = {}
        self._expiries: list[tuple[float, bytes]] = []

    @override
    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Read all keys under the lock, so that they are of one instant."""
        with self._lock:
            values, now = self._open(), self._clock()
            return [_live(values.get(key), now) for key in keys]

    @override
    def put_many(
        self, items: Sequence[tuple[bytes, bytes | None]], *, ttl_s: float | None = None
    ) -> list[StoreError | None]:
        """Delete all expired rows first; memory is the only limit, so that StoreFull is never raised."""
        with self._lock:
            self._sweep()
            return [self._put(key, value, ttl_s) for key, value in items]

    @override
    def merge_many(
        self, keys: Sequence[bytes], merge: Merge, *, ttl_s: float | None = None
    ) -> list[bytes | None | StoreError]:
        """Run `merge` once a place under the lock, so that it must not call this store; undo the batch if it raises."""
        with self._lock:
            self._sweep()
            values = self._open()
            undo: list[tuple[bytes, tuple[float, bytes] | None]] = []
            try:
                results: list[bytes | None | StoreError] = []
                for key in keys:
                    undo.append((key, values.get(key)))
                    results.append(self._merge(key, merge, ttl_s))
            except BaseException:
                _roll_back(values, undo)
                raise
            return results

    @override
    def scan(self, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Sort all matching keys at the start; each value is read when the scan comes to it."""
        with self._lock:
            keys = sorted(key for key in self._open() if key.startswith(prefix) and key >= start)
        for key in keys:
            if (value := self.get_many([key])[0]) is not None:
                yield key, value

    @override
    def close(self) -> None:
        """Forget all values: nothing is on disk."""
        self._values = None

    def _open(self) -> dict[bytes, tuple[float, bytes]]:
        if self._values is None:
            raise ValueError("this memory store is closed")
        return self._values

    def _put(self, key: bytes, value: bytes | None, ttl_s: float | None) -> StoreError | None:
        if (error := refusal(key, value)) is not None:
            return error
        if value is None:
            self._open().pop(key, None)
            return None
        expires = math.inf if ttl_s is None else self._clock() + ttl_s
        self._open()[key] = (expires, value)
        if ttl_s is not None:
            heapq.heappush(self._expiries, (expires, key))
        return None

    def _merge(self, key: bytes, merge: Merge, ttl_s: float | None) -> bytes | None | StoreError:
        if (error := refusal(key)) is not None:
            return error
        stored = _live(self._open().get(key), self._clock())
        try:
            merged = merge(key, stored)
        except StoreError as failure:
            return failure
        if merged is None:
            return stored
        return self._put(key, merged, ttl_s) or merged

    def _sweep(self) -> None:
        """Delete rows that have expired; a key written again since then has another expiry and stays."""
        values, now = self._open(), self._clock()
        while self._expiries and self._expiries[0][0] <= now:
            expires, key = heapq.heappop(self._expiries)
            if key in values and values[key][0] == expires:
                del values[key]


def _roll_back(
    values: dict[bytes, tuple[float, bytes]], undo: list[tuple[bytes, tuple[float, bytes] | None]]
) -> None:
    for key, entry in reversed(undo):
        if entry is None:
            values.pop(key, None)
        else:
            values[key] = entry


def _live(entry: tuple[float, bytes] | None, now: float) -> bytes | None:
    return entry[1] if entry is not None and now < entry[0] else None
