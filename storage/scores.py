"""`ScoreCache`: scores that processes share, and leases so that one process at a time computes a score.

A stored value is a kind, three times (expiry and end in UTC seconds, cost in seconds) and the score, or the reason for
which the ranker refused the item. When a score expires is its writer's decision (`pipeline/scoring/lifetimes.py`).
"""

import logging
import struct
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.errors import StoreError
from storage.base import Clock, KeyValue

log = logging.getLogger(__name__)

_VALUE = struct.Struct("<Bdddd")
_SCORE, _REJECTION = 1, 2
_LEASE = struct.Struct("<dd")  # from when to when it holds, UTC seconds; then its holder's token
CLOCKS_DIFFER_S = 5.0
_FREE = b""
_FREE_S = 1.0  # a merge cannot delete: a lease that was given back stays as an empty value for so long
MAX_REASON_CHARS = 500
TTL_S = 900.0


class StoredScore(NamedTuple):
    """A score, or why the ranker refused the item (`reason`). Seconds; `expires_in_s` and `dies_in_s` from now on."""

    score: float
    cost_s: float
    expires_in_s: float
    dies_in_s: float
    reason: str | None = None


@dataclass(slots=True, kw_only=True)
class ScoreCacheStats:
    """Counters since the start; `failures` counts the calls that went on without the store."""

    hits: int = 0
    misses: int = 0
    failures: int = 0


@dataclass(slots=True)
class ScoreCache:
    """Scores by key (`schemas.keys.score_key`) over any `KeyValue`. A failing back end is a miss, and is counted.

    `ttl_s` is a hard limit: a score that ends later than any written now was written before the clock was set back, and
    counts as missing. `reads_wait`: whether a read may wait for a network or for others; those of LMDB never do.
    """

    kv: KeyValue
    ttl_s: float = TTL_S
    clock: Clock = time.time
    reads_wait: bool = True
    stats: ScoreCacheStats = field(default_factory=ScoreCacheStats)
    _me: bytes = field(default_factory=lambda: uuid.uuid4().bytes)

    def get_many(self, keys: Sequence[bytes]) -> list[StoredScore | None]:
        """What is stored, in the order of `keys`; None where missing, at its end or not readable now."""
        try:
            stored = self.kv.get_many(keys)
        except StoreError as error:
            self.failed(error)
            stored = [None] * len(keys)
        now = self.clock()
        found = [None if data is None else _read(data, now, self.ttl_s) for data in stored]
        misses = found.count(None)
        self.stats.misses += misses
        self.stats.hits += len(found) - misses
        return found

    def put_many(self, items: Sequence[tuple[bytes, StoredScore]]) -> None:
        """Store scores. A failure is counted and logged, not raised: the score will be computed again."""
        now = self.clock()
        rows = [(key, _value(stored, now)) for key, stored in items]
        try:
            failed = [error for error in self.kv.put_many(rows, ttl_s=self.ttl_s) if error is not None]
        except StoreError as error:
            failed = [error]
        if failed:
            self.failed(failed[0])

    def lease_many(self, keys: Sequence[bytes], ttl_s: float) -> list[bool]:
        """Whether the caller is to compute each score: true for one caller at a time, for `ttl_s` seconds at most.

        Other callers wait or compute the score themselves. A key that comes twice is granted once. When the back end
        fails, all are true.
        """
        now = self.clock()
        lease = _LEASE.pack(now, now + ttl_s) + self._me + uuid.uuid4().bytes
        wanted = list(dict.fromkeys(map(_lease_key, keys)))
        try:
            held = self.kv.merge_many(
                wanted, lambda _, stored: None if _holds(stored, now) else lease, ttl_s=ttl_s
            )
        except StoreError as error:
            self.failed(error)
            return [True] * len(keys)
        free = {key for key, holder in zip(wanted, held, strict=True) if not _is_other(holder, lease)}
        granted = []
        for key in map(_lease_key, keys):
            granted.append(key in free)
            free.discard(key)
        return granted

    def renew_many(self, keys: Sequence[bytes], ttl_s: float) -> None:
        """Have leases of this object end `ttl_s` seconds from now, because their holder still computes the scores.

        A lease that has ended and was not granted to another caller holds again; one that was given back does not.
        """
        now = self.clock()
        try:
            self.kv.merge_many(
                list(map(_lease_key, keys)), lambda _, stored: self._longer(stored, now, ttl_s), ttl_s=ttl_s
            )
        except StoreError as error:
            self.failed(error)

    def release_many(self, keys: Sequence[bytes]) -> None:
        """Give leases of this object back before they end, because its holder could not compute the scores."""
        try:
            self.kv.merge_many(list(map(_lease_key, keys)), self._given_back, ttl_s=_FREE_S)
        except StoreError as error:
            self.failed(error)

    def failed(self, error: Exception) -> None:
        """Count and log a call that goes on without the store."""
        self.stats.failures += 1
        log.warning("the score cache is passed over: %s", error)

    def _given_back(self, _: bytes, stored: bytes | None) -> bytes | None:
        return _FREE if self._is_mine(stored) else None

    def _longer(self, stored: bytes | None, now: float, ttl_s: float) -> bytes | None:
        if stored is None or not self._is_mine(stored):
            return None
        return _LEASE.pack(now, now + ttl_s) + stored[_LEASE.size :]

    def _is_mine(self, stored: bytes | None) -> bool:
        return stored is not None and stored.startswith(self._me, _LEASE.size)


def _lease_key(key: bytes) -> bytes:
    return b"l" + key


def _holds(lease: bytes | None, now: float) -> bool:
    """Whether a lease holds: not one that was given back, or begins well after now, because the clock was set back.

    A little after now begins the lease of a caller whose clock is ahead, and of one in this process that looked at the
    clock after this one and came to the store before it.
    """
    if not lease or len(lease) < _LEASE.size:
        return False
    begins, ends = _LEASE.unpack_from(lease)
    return bool(begins - CLOCKS_DIFFER_S <= now < ends)


def _value(stored: StoredScore, now: float) -> bytes:
    kind, reason = (_SCORE, "") if stored.reason is None else (_REJECTION, stored.reason)
    times = (now + stored.expires_in_s, now + stored.dies_in_s, stored.cost_s)
    return _VALUE.pack(kind, *times, stored.score) + reason[:MAX_REASON_CHARS].encode()


def _read(data: bytes, now: float, ttl_s: float) -> StoredScore | None:
    """What was stored, unless it is at its end, or ends later than anything written now; None for other bytes."""
    if len(data) < _VALUE.size:
        return None
    kind, expires, dies, cost_s, score = _VALUE.unpack_from(data)
    if kind not in (_SCORE, _REJECTION) or not now < dies <= now + ttl_s:
        return None
    reason = data[_VALUE.size :].decode(errors="replace") if kind == _REJECTION else None
    return StoredScore(score, cost_s, expires - now, dies - now, reason)


def _is_other(holder: bytes | None | StoreError, lease: bytes) -> bool:
    return isinstance(holder, bytes) and holder != lease
