"""Decide whether a failed request is the input's fault or the server's.

The input is at fault only if the server works right after the failure; else it is an outage.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

Probe = Callable[[], Awaitable[bool]]


class FailureAttribution:
    """Keep when the server last answered well, and ask it when that was too long ago.

    `health` asks its health route; `canary` sends a request that is known to be good.
    """

    def __init__(self, health: Probe, canary: Probe, clock: Callable[[], float] = time.monotonic) -> None:
        self._health, self._canary, self._clock = health, canary, clock
        self._lock = asyncio.Lock()
        self._succeeded_at = self._found_healthy_at = -float("inf")

    def record_success(self) -> None:
        """Note that the server has just answered some request of this client well."""
        self._succeeded_at = self._clock()

    async def server_is_healthy(self, since: float) -> bool:
        """Return whether the server works, now that an attempt begun at `since` has failed.

        It works if its health route answers, and another request has succeeded since `since` or the canary succeeds
        now. Failures at the same time share one inquiry.
        """
        failed_at = self._clock()
        async with self._lock:
            if self._found_healthy_at >= failed_at:
                return True
            begun_at = self._clock()
            healthy = await self._health() and (self._succeeded_at >= since or await self._canary())
            if healthy:
                self._found_healthy_at = begun_at
            return healthy
