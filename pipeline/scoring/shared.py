"""The scores that processes share, asked within a budget: a store that fails or hangs costs calls of the model only."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from pipeline.scoring.bounded import Allowance, BoundedCalls, TooLate
from storage.scores import ScoreCache, StoredScore

T = TypeVar("T")

BUDGET_S = 0.25
FIRST_POLL_S = 0.002
LONGEST_POLL_S = 0.05
LEASE_AGAIN_S = 0.25


class SharedScores:
    """A `ScoreCache` for callers with little time, or none at all (`cache` None), which is a store without scores.

    `budget_s`: most seconds for which one caller waits for the store, all its calls together.
    """

    def __init__(
        self,
        cache: ScoreCache | None,
        budget_s: float = BUDGET_S,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.cache = cache
        self._budget_s = budget_s
        self._clock, self._sleep = clock, sleep
        self._calls = BoundedCalls("score-cache")

    @property
    def failures(self) -> int:
        """Calls that went on without the store."""
        return 0 if self.cache is None else self.cache.stats.failures

    def allowance(self) -> Allowance:
        """What one caller may spend."""
        return Allowance(self._budget_s, self._clock)

    def get_many(self, keys: Sequence[bytes], allowance: Allowance) -> dict[bytes, StoredScore]:
        """What the store has of these keys; nothing when it does not answer in time."""
        if self.cache is None or not keys:
            return {}
        read, nothing = partial(self.cache.get_many, keys), list[StoredScore | None]()
        found = self._ask(read, allowance, nothing) if self.cache.reads_wait else read()
        return {key: stored for key, stored in zip(keys, found, strict=False) if stored is not None}

    def lease_many(self, keys: Sequence[bytes], ttl_s: float, allowance: Allowance) -> set[bytes]:
        """The keys whose scores this caller is to compute: all of them when the store does not answer in time."""
        if self.cache is None or not keys:
            return set(keys)
        granted = self._ask(partial(self.cache.lease_many, keys, ttl_s), allowance, [True] * len(keys))
        return {key for key, mine in zip(keys, granted, strict=True) if mine}

    def put_many(self, items: Sequence[tuple[bytes, StoredScore]], allowance: Allowance) -> None:
        """Store what was computed."""
        if self.cache is not None and items:
            self._ask(partial(self.cache.put_many, items), allowance, None)

    def renew_many(self, keys: Sequence[bytes], ttl_s: float, allowance: Allowance) -> None:
        """Have the leases on these keys that this caller still holds begin anew."""
        if self.cache is not None and keys:
            self._ask(partial(self.cache.renew_many, keys, ttl_s), allowance, None)

    def release_many(self, keys: Sequence[bytes], allowance: Allowance) -> None:
        """Give leases back whose scores could not be computed."""
        if self.cache is not None and keys:
            self._ask(partial(self.cache.release_many, keys), allowance, None)

    def wait_for(
        self, keys: Sequence[bytes], ttl_s: float, until_s: float
    ) -> tuple[dict[bytes, StoredScore], set[bytes]]:
        """Wait for scores that other processes compute: those that came, and the keys that this caller takes over.

        A key is taken over when its lease has ended, because its holder renews it no more, or was given back, and when
        the store does not answer. Returns at `until_s` with neither for the keys that are left.
        """
        came: dict[bytes, StoredScore] = {}
        left, pause_s = list(keys), FIRST_POLL_S
        lease_at_s = self._clock() + LEASE_AGAIN_S
        while left and (now := self._clock()) < until_s:
            self._sleep(min(pause_s, until_s - now))
            pause_s = min(2 * pause_s, LONGEST_POLL_S)
            failures = self.failures
            came.update(self.get_many(left, self.allowance()))
            left = [key for key in left if key not in came]
            if self.failures > failures:
                return came, set(left)
            if left and self._clock() >= lease_at_s:
                lease_at_s = self._clock() + LEASE_AGAIN_S
                if mine := self.lease_many(left, ttl_s, self.allowance()):
                    return came, mine
        return came, set()

    def _ask(self, call: Callable[[], T], allowance: Allowance, otherwise: T) -> T:
        try:
            return allowance.spend(self._calls, call)
        except TooLate as late:
            if self.cache is not None:
                self.cache.failed(late)
            return otherwise
