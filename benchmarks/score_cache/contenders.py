"""The caches that are compared: the production table, and simpler ones that lack some of its parts."""

import random
from collections.abc import Callable
from typing import Protocol

from pipeline.scoring.flights import Flight, FlightTable, Look, Verdict
from pipeline.scoring.lifetimes import Kept, ScoreLifetimes

TTL_S = 900.0
PLAIN, LEASE, JITTER, BOTH, OURS = "plain", "lease only", "jitter only", "jitter and lease", "ours"


class Cache(Protocol):
    """What `FlightTable` offers, as far as a benchmark needs it."""

    def look_up(self, now: float, key: bytes) -> Look:
        """What the reader is to do."""
        ...

    def filled(self, now: float, key: bytes, score: float, cost_s: float) -> tuple[Kept, Flight | None]:
        """Keep a score that was computed."""
        ...


class PlainCache(Cache):
    """A cache with a time to live; a score that is missing is computed by every reader, with `lease` by the first."""

    def __init__(self, ttl_s: float, jitter: float, rng: random.Random, *, lease: bool = False) -> None:
        self._ttl_s, self._jitter, self._rng, self._lease = ttl_s, jitter, rng, lease
        self._kept: dict[bytes, Kept] = {}
        self._led: set[bytes] = set()

    def look_up(self, now: float, key: bytes) -> Look:
        """HIT, LEAD or WAIT."""
        kept = self._kept.get(key)
        if kept is not None and now < kept.dies_s:
            return Look(Verdict.HIT, kept.score)
        if self._lease and key in self._led:
            return Look(Verdict.WAIT)
        self._led.add(key)
        return Look(Verdict.LEAD)

    def filled(self, now: float, key: bytes, score: float, cost_s: float) -> tuple[Kept, Flight | None]:
        """Keep it for the time to live, shortened by up to `jitter` of it."""
        end_s = now + self._ttl_s * (1.0 - self._jitter * self._rng.random())
        kept = Kept(score=score, kept_s=now, expires_s=end_s, dies_s=end_s, cost_s=cost_s)
        self._kept[key] = kept
        self._led.discard(key)
        return kept, None


def caches(seed: int) -> dict[str, Callable[[], Cache]]:
    """A maker for each contender; the same seed gives the same decisions."""
    return {
        PLAIN: lambda: PlainCache(TTL_S, 0.0, random.Random(seed)),
        JITTER: lambda: PlainCache(TTL_S, 0.2, random.Random(seed)),
        LEASE: lambda: PlainCache(TTL_S, 0.0, random.Random(seed), lease=True),
        BOTH: lambda: PlainCache(TTL_S, 0.2, random.Random(seed), lease=True),
        OURS: lambda: FlightTable(ScoreLifetimes(ttl_s=TTL_S), entries=1_000_000, rng=random.Random(seed)),
    }
