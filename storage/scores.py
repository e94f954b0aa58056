"""`ScoreCache`: scores with a jittered time to live, and leases so that one caller at a time computes a score."""

import logging
import random
import struct
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.errors import StoreError
from storage.base import Clock, KeyValue

log = logging.getLogger(__name__)

_SCORE = struct.Struct("<dd")  # expiry in UTC seconds, score


@dataclass(slots=True, kw_only=True)
class ScoreCacheStats:
    """Counters since the start; `failures` counts the calls that went on without the cache."""

    hits: int = 0
    misses: int = 0
    failures: int = 0


@dataclass(slots=True)
class ScoreCache:
    """Scores by key (`schemas.keys.score_key`) over any `KeyValue`. A failing back end is a miss, and is counted.

    Each score lives for (1 − jitter … 1) × `ttl_s`, so that scores stored together do not expire together. Jitter only
    shortens, because `ttl_s` is a hard limit.
    """

    kv: KeyValue
    ttl_s: float = 900.0
    jitter: float = 0.2
    clock: Clock = time.time
    rng: random.Random = field(default_factory=random.Random)
    stats: ScoreCacheStats = field(default_factory=ScoreCacheStats)

    def get_many(self, keys: Sequence[bytes]) -> list[float | None]:
        """Scores in the order of `keys`; None where missing, expired or not readable now."""
        try:
            stored = self.kv.get_many(keys)
        except StoreError as error:
            self._failed(error)
            stored = [None] * len(keys)
        now = self.clock()
        scores = [_score(data, now, self.ttl_s) for data in stored]
        misses = scores.count(None)
        self.stats.misses += misses
        self.stats.hits += len(scores) - misses
        return scores

    def put_many(self, items: Sequence[tuple[bytes, float]]) -> None:
        """Store scores. A failure is counted and logged, not raised: the score will be computed again."""
        now = self.clock()
        rows = [(key, _SCORE.pack(now + self._lifetime_s(), score)) for key, score in items]
        try:
            failed = [error for error in self.kv.put_many(rows, ttl_s=self.ttl_s) if error is not None]
        except StoreError as error:
            failed = [error]
        if failed:
            self._failed(failed[0])

    def lease_many(self, keys: Sequence[bytes], ttl_s: float) -> list[bool]:
        """Whether the caller is to compute each score: true for one caller at a time, for `ttl_s` seconds at most.

        A lease ends only by expiring; until then other callers wait or compute the score themselves. A key that comes
        twice is granted once. When the back end fails, all are true.
        """
        token = uuid.uuid4().bytes
        leases = [b"l" + key for key in keys]
        wanted = list(dict.fromkeys(leases))
        try:
            held = self.kv.merge_many(
                wanted, lambda _, stored: token if stored is None else None, ttl_s=ttl_s
            )
        except StoreError as error:
            self._failed(error)
            return [True] * len(keys)
        free = {key for key, holder in zip(wanted, held, strict=True) if not _is_other(holder, token)}
        granted = []
        for key in leases:
            granted.append(key in free)
            free.discard(key)
        return granted

    def _lifetime_s(self) -> float:
        return self.ttl_s * (1.0 - self.jitter * self.rng.random())

    def _failed(self, error: StoreError) -> None:
        self.stats.failures += 1
        log.warning("the score cache is passed over: %s", error)


def _score(data: bytes | None, now: float, ttl_s: float) -> float | None:
    """The score unless it has expired, or expires later than any score written now: then the clock was set back."""
    if data is None or len(data) != _SCORE.size:
        return None
    expires, score = _SCORE.unpack(data)
    return float(score) if now < expires <= now + ttl_s else None


def _is_other(holder: bytes | None | StoreError, token: bytes) -> bool:
    return isinstance(holder, bytes) and holder != token
