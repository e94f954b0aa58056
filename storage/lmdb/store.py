"""The LMDB back end: one machine, many processes, one transaction a bulk call.

A stored value is its expiry (eight bytes, UTC seconds as a double, infinity for never) and then the caller's bytes. A
second database holds expiry + key of every row that will expire, so that a write can delete the oldest without a scan.
"""

import math
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from typing_extensions import override

from schemas.errors import ConfigError, StoreError
from schemas.settings import UrlParameter
from storage.base import Clock, KeyValue, Merge, refusal, too_large
from storage.lmdb.environment import Databases, SharedEnvironment, TransactionBody, acquire, release

_EXPIRY = struct.Struct("<d")
_INDEX = struct.Struct(">d")  # non-negative doubles sort as their big-endian bytes
_NEVER = _EXPIRY.pack(math.inf)
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}

DEFAULT_MAP_SIZE = 64 << 30  # address space, not disk: the file grows with its rows
PARAMETERS = {
    "sync": UrlParameter(
        "`commit`, `os`",
        "`commit`",
        "`commit`: an acknowledged write survives power loss. `os`: it survives the process; after a power loss the "
        "directory must be thrown away.",
    ),
    "map_size": UrlParameter(
        "bytes, or with `K`, `M`, `G`, `T`",
        f"{DEFAULT_MAP_SIZE >> 30}G",
        "Largest size that the file may grow to, at least `1M`.",
    ),
}
SCAN_ROWS = 1_000  # rows that a scan reads in one transaction
SWEEP_ROWS = 100  # a write deletes up to this many expired rows, plus twice the number of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class LmdbSettings:
    """The settings that a URL gives.

    `durable` (`sync=commit`): an acknowledged write survives power loss. Without it (`sync=os`) a write survives the
    process, and after a power loss the directory must be deleted. `map_size`: largest size in bytes; the file grows
    to it.
    """

    path: Path
    durable: bool = True
    map_size: int = DEFAULT_MAP_SIZE

    @classmethod
    def from_url(cls, url: str) -> "LmdbSettings":
        """`lmdb:///directory?sync=commit|os&map_size=4G`. Raises ConfigError."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        if parts.netloc or not parts.path.strip("/"):
            raise ConfigError(
                f"store URL {url!r}: an absolute path is needed, as in lmdb:///var/lib/features"
            )
        sync, size = options.pop("sync", "commit"), options.pop("map_size", "")
        if options:
            raise ConfigError(
                f"store URL {url!r}: unknown option {next(iter(options))!r}; known are {' and '.join(PARAMETERS)}"
            )
        if sync not in {"commit", "os"}:
            raise ConfigError(f"store URL {url!r}: sync is commit or os, not {sync!r}")
        path = Path(unquote(parts.path))
        return cls(
            path=path, durable=sync == "commit", map_size=_bytes(url, size) if size else DEFAULT_MAP_SIZE
        )


class LmdbStore(KeyValue):
    """The `KeyValue` protocol over one directory; handles of one process share their environment."""

    def __init__(self, settings: LmdbSettings, clock: Clock = time.time) -> None:
        self._clock = clock
        self._shared: SharedEnvironment | None = acquire(
            settings.path, durable=settings.durable, map_size=settings.map_size
        )

    @override
    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Read all keys in one transaction, so that they are of one instant."""
        now = self._clock()

        def work(txn: Any, tables: Databases) -> list[bytes | None]:
            return [_get(txn, tables, key, now) if refusal(key) is None else None for key in keys]

        return self._env().read(work)

    @override
    def put_many(
        self, items: Sequence[tuple[bytes, bytes | None]], *, ttl_s: float | None = None
    ) -> list[StoreError | None]:
        """Write all items in one transaction; it deletes some expired rows too, all of them when the map is full."""
        now = self._clock()

        def work(txn: Any, tables: Databases) -> list[StoreError | None]:
            _sweep(txn, tables, now, 2 * len(items) + SWEEP_ROWS)
            return [_put(txn, tables, key, value, _expiry(now, ttl_s)) for key, value in items]

        only_deletes = all(value is None for _, value in items)
        return self._env().write(work, relief=_relief(now), only_deletes=only_deletes)

    @override
    def merge_many(
        self, keys: Sequence[bytes], merge: Merge, *, ttl_s: float | None = None
    ) -> list[bytes | None | StoreError]:
        """Merge all keys in one write transaction; writers in every process wait while `merge` runs."""
        now = self._clock()

        def work(txn: Any, tables: Databases) -> list[bytes | None | StoreError]:
            _sweep(txn, tables, now, 2 * len(keys) + SWEEP_ROWS)
            return [_merge(txn, tables, key, merge, now, ttl_s) for key in keys]

        return self._env().write(work, relief=_relief(now))

    @override
    def scan(self, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Reads in short transactions, because a long one keeps freed pages from being used again."""
        start = max(prefix, start)
        while True:
            now = self._clock()
            rows, following = self._env().read(lambda txn, tables: _rows(txn, tables, prefix, start, now))  # noqa: B023
            yield from rows
            if following is None:
                return
            start = following

    def stats(self) -> dict[str, int]:
        """Entries, bytes in use, the map's limit and the reader slots taken."""
        return self._env().stats()

    @override
    def close(self) -> None:
        """Close the files only with the last handle that this process has on the directory."""
        if self._shared is not None:
            release(self._shared)
        self._shared = None

    def _env(self) -> SharedEnvironment:
        if self._shared is None:
            raise ValueError("this LMDB store is closed")
        return self._shared


def _bytes(url: str, text: str) -> int:
    unit = _UNITS.get(text[-1].upper(), 1)
    number = text[:-1] if unit > 1 else text
    if not number.isdigit() or int(number) * unit < 1 << 20:
        raise ConfigError(
            f"store URL {url!r}: map_size is a size of at least 1M, as in 512M or 64G, not {text!r}"
        )
    return int(number) * unit // 4096 * 4096


def _expiry(now: float, ttl_s: float | None) -> float:
    return math.inf if ttl_s is None else now + ttl_s


def _get(txn: Any, tables: Databases, key: bytes, now: float) -> bytes | None:
    stored = txn.get(key, db=tables.values)
    if stored is None or _EXPIRY.unpack_from(stored)[0] <= now:
        return None
    return bytes(stored[_EXPIRY.size :])


def _put(txn: Any, tables: Databases, key: bytes, value: bytes | None, expires: float) -> StoreError | None:
    if (error := refusal(key, value)) is not None:
        return error
    if value is None:
        txn.delete(key, db=tables.values)
    else:
        _store(txn, tables, key, value, expires)
    return None


def _store(txn: Any, tables: Databases, key: bytes, value: bytes, expires: float) -> None:
    """Write a pair whose key and value are within the limits."""
    if expires == math.inf:
        txn.put(key, _NEVER + value, db=tables.values)
    else:
        txn.put(key, _EXPIRY.pack(expires) + value, db=tables.values)
        txn.put(_INDEX.pack(expires) + key, b"", db=tables.by_expiry)


def _merge(
    txn: Any, tables: Databases, key: bytes, merge: Merge, now: float, ttl_s: float | None
) -> bytes | None | StoreError:
    if (error := refusal(key)) is not None:
        return error
    stored = _get(txn, tables, key, now)
    try:
        merged = merge(key, stored)
    except StoreError as failure:
        return failure
    if merged is None:
        return stored
    if (error := too_large(key, merged)) is not None:
        return error
    _store(txn, tables, key, merged, _expiry(now, ttl_s))
    return merged


def _relief(now: float) -> TransactionBody[None]:
    """What makes room in a full map: delete every row that has expired."""
    return lambda txn, tables: _sweep(txn, tables, now, sys.maxsize)


def _sweep(txn: Any, tables: Databases, now: float, most: int) -> None:
    """Delete up to `most` rows that have expired; a key written again since then has another expiry and stays."""
    with txn.cursor(db=tables.by_expiry) as cursor:
        while most > 0 and cursor.first():
            entry = bytes(cursor.key())
            expires, key = _INDEX.unpack_from(entry)[0], entry[_INDEX.size :]
            if expires > now:
                return
            stored = txn.get(key, db=tables.values)
            if stored is not None and _EXPIRY.unpack_from(stored)[0] == expires:
                txn.delete(key, db=tables.values)
            cursor.delete()
            most -= 1


def _rows(
    txn: Any, tables: Databases, prefix: bytes, start: bytes, now: float
) -> tuple[list[tuple[bytes, bytes]], bytes | None]:
    """Up to SCAN_ROWS live pairs from `start` on, and where to go on (None: nowhere)."""
    rows: list[tuple[bytes, bytes]] = []
    with txn.cursor(db=tables.values) as cursor:
        found = cursor.set_range(start) if start else cursor.first()
        seen = 0
        while found:
            key, value = cursor.item()
            key = bytes(key)
            if not key.startswith(prefix):
                return rows, None
            if seen == SCAN_ROWS:
                return rows, key
            if _EXPIRY.unpack_from(value)[0] > now:
                rows.append((key, bytes(value[_EXPIRY.size :])))
            seen += 1
            found = cursor.next()
    return rows, None
