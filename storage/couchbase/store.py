"""The Couchbase back end: many machines, merges by compare-and-swap in bulk.

A document is its expiry (eight bytes, UTC seconds as a double, infinity for never) and then the caller's bytes.
Expiry is judged by our clock; the document's own expiry, a little later, lets the server delete it.
"""

import math
import random
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from typing_extensions import override

from schemas.backoff import Backoff
from schemas.errors import StoreError, StoreUnavailable
from storage.base import Clock, KeyValue, Merge, refusal
from storage.couchbase.client import Client, Document, batches
from storage.couchbase.scan import scan_keys
from storage.couchbase.url import CouchbaseSettings

_EXPIRY = struct.Struct("<d")
GRACE_S = 60.0  # clocks of machines differ: the server deletes only rows that have expired by all of them
MAX_ROUNDS = 100  # of one merge; in each round at least one writer of a contended key succeeds
PAUSES = Backoff(first_s=0.002, longest_s=0.05)  # between rounds; each pause is spread from 0 to this long


class CouchbaseStore(KeyValue):
    """The `KeyValue` protocol over one collection, opened on first use. Raises ConfigError for a bad login."""

    def __init__(self, settings: CouchbaseSettings, clock: Clock = time.time) -> None:
        self._clock = clock
        self._settings = settings
        self._client: Client | None = Client(settings)

    @override
    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Read in requests of up to CHUNK_ROWS keys, which are retried; a key that `refusal` names is None, unasked."""
        client, now = self._open(), self._clock()
        names = [key.decode() if refusal(key) is None else None for key in keys]
        stored = client.read(name for name in names if name is not None)
        return [None if name is None else _live(stored.get(name), now) for name in names]

    @override
    def put_many(
        self, items: Sequence[tuple[bytes, bytes | None]], *, ttl_s: float | None = None
    ) -> list[StoreError | None]:
        """Write each key's last item in bulk; not atomic: when it raises, a part may be written."""
        client = self._open()
        results: list[StoreError | None] = [refusal(key, value) for key, value in items]
        last = {key: (i, value) for i, (key, value) in enumerate(items) if results[i] is None}
        head = self._head(ttl_s)
        written = {key.decode(): head + value for key, (_, value) in last.items() if value is not None}
        failed = client.upsert(written, _server_expiry(ttl_s))
        failed |= client.remove(key.decode() for key, (_, value) in last.items() if value is None)
        for key, error in failed.items():
            results[last[key.encode()][0]] = _own(error)
        return results

    @override
    def merge_many(
        self, keys: Sequence[bytes], merge: Merge, *, ttl_s: float | None = None
    ) -> list[bytes | None | StoreError]:
        """A batch is not atomic: another reader may see some of its keys before the others.

        Raises StoreUnavailable also for a key that other writers changed in every round.
        """
        client = self._open()
        merges = _Merges(keys, merge)
        for tried in range(MAX_ROUNDS):
            if not merges.pending:
                break
            time.sleep(random.uniform(0.0, PAUSES.wait_s(tried)) if tried else 0.0)
            self._round(client, merges, ttl_s)
        if merges.pending:
            raise StoreUnavailable(
                f"{self._settings.place}: {next(iter(merges.pending))!r} was changed by others {MAX_ROUNDS} times in "
                "a row; try again"
            )
        return merges.results

    @override
    def scan(self, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """All keys are held in memory, since no server returns them in order."""
        found = [key for key in scan_keys(self._open(), prefix) if key >= start]
        for keys in batches(found):
            for key, value in zip(keys, self.get_many(keys), strict=True):
                if value is not None:
                    yield key, value

    @override
    def close(self) -> None:
        """Close the connection, unless a parent process opened it."""
        if self._client is not None:
            self._client.connection.close()
        self._client = None

    def _open(self) -> Client:
        if self._client is None:
            raise ValueError("this Couchbase store is closed")
        return self._client

    def _head(self, ttl_s: float | None) -> bytes:
        return _EXPIRY.pack(math.inf if ttl_s is None else self._clock() + ttl_s)

    def _round(self, client: Client, merges: "_Merges", ttl_s: float | None) -> None:
        """Read, merge and write the pending keys; those that another writer changed meanwhile stay pending."""
        stored = client.read(key.decode() for key in merges.pending)
        changed = merges.run(stored, self._clock())
        head, expiry = self._head(ttl_s), _server_expiry(ttl_s)
        rows = {key.decode(): head + value for key, value in changed.items()}
        new = {key: row for key, row in rows.items() if key not in stored}
        old = {key: row for key, row in rows.items() if key in stored}
        failed = client.insert(new, expiry)
        failed |= client.replace(old, {key: stored[key].cas for key in old}, expiry)
        merges.finish({key.encode(): error for key, error in failed.items()})


class _Merges:
    """The merges of one batch: the results so far, and the keys still to be merged with their places in the batch."""

    def __init__(self, keys: Sequence[bytes], merge: Merge) -> None:
        self.results: list[bytes | None | StoreError] = [refusal(key) for key in keys]
        self.pending: dict[bytes, list[int]] = {}
        self._merge = merge
        for i, key in enumerate(keys):
            if self.results[i] is None:
                self.pending.setdefault(key, []).append(i)

    def run(self, stored: Mapping[str, Document], now: float) -> dict[bytes, bytes]:
        """Merge every pending key in the batch's order; the values to write. Writes nothing, so `merge` may raise."""
        held = {key: _live(stored.get(key.decode()), now) for key in self.pending}
        changed: dict[bytes, bytes] = {}
        for i, key in sorted((i, key) for key, places in self.pending.items() for i in places):
            result = self._merged(key, held[key])
            self.results[i] = held[key] if result is None else result
            if isinstance(result, bytes):
                held[key] = changed[key] = result
        return changed

    def _merged(self, key: bytes, held: bytes | None) -> bytes | None | StoreError:
        try:
            merged = self._merge(key, held)
        except StoreError as failure:
            return failure
        return merged if merged is None else refusal(key, merged) or merged

    def finish(self, failed: Mapping[bytes, Exception]) -> None:
        """End a round: a failed key with a StoreError has that as its result, one with a conflict stays pending."""
        again: dict[bytes, list[int]] = {}
        for key, error in failed.items():
            if isinstance(error, StoreError):
                for i in self.pending[key]:
                    self.results[i] = error
            else:
                again[key] = self.pending[key]
        self.pending = again


def _own(error: Exception) -> StoreError:
    return error if isinstance(error, StoreError) else StoreUnavailable(str(error))


def _server_expiry(ttl_s: float | None) -> timedelta | None:
    return None if ttl_s is None else timedelta(seconds=math.ceil(max(0.0, ttl_s) + GRACE_S))


def _live(stored: Document | None, now: float) -> bytes | None:
    if stored is None or len(stored.data) < _EXPIRY.size or _EXPIRY.unpack_from(stored.data)[0] <= now:
        return None
    return stored.data[_EXPIRY.size :]
