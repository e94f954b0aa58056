"""Is it the input or the server? An input is poison only if the server does well right after it failed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

Probe = Callable[[], Awaitable[bool]]


class Witness:
    """Watches the successes of one client; `health` and `canary` ask the server itself."""

    def __init__(self, health: Probe, canary: Probe, clock: Callable[[], float] = time.monotonic) -> None:
        self._health, self._canary, self._clock = health, canary, clock
        self._lock = asyncio.Lock()
        self._succeeded_at = self._vouched_at = -float("inf")

    def success(self) -> None:
        """Some input of this client was just answered well."""
        self._succeeded_at = self._clock()

    async def vouches(self, since: float) -> bool:
        """Whether, now that an attempt begun at `since` has failed, health and a neighbour are good.

        The neighbour is any input answered since then, else a canary that is known to be good. Failures
        that come together share one inquiry.
        """
        failed_at = self._clock()
        async with self._lock:
            if self._vouched_at >= failed_at:
                return True
            begun_at = self._clock()
            good = await self._health() and (self._succeeded_at >= since or await self._canary())
            if good:
                self._vouched_at = begun_at
            return good
