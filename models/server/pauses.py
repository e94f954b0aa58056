"""Measure what stops the server for a moment: garbage collections, and calls that block the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
PROBE_S = 0.01
"""Time between two checks of the event loop; a pause is measured too short by at most this much."""


class PauseHistogram:
    """A histogram without a lock, because a garbage collection may start while one is being counted."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.total_s = 0.0
        self.longest_s = 0.0

    def add(self, pause_s: float) -> None:
        """Count one pause."""
        self.counts[bisect_left(BOUNDS_S, pause_s)] += 1
        self.total_s += pause_s
        self.longest_s = max(self.longest_s, pause_s)


@contextlib.contextmanager
def collections_timed(pauses: PauseHistogram) -> Iterator[None]:
    """Count the pause of every garbage collection, of any thread."""
    began = 0.0

    def watch(phase: str, _info: dict[str, Any]) -> None:
        nonlocal began
        if phase == "start":
            began = time.perf_counter()
        else:
            pauses.add(time.perf_counter() - began)

    gc.callbacks.append(watch)
    try:
        yield
    finally:
        gc.callbacks.remove(watch)


class LagProbe:
    """Schedules a call on the running event loop every `PROBE_S` and counts how late it comes."""

    def __init__(self, pauses: PauseHistogram) -> None:
        self._pauses = pauses
        self._loop = asyncio.get_running_loop()
        self._handle = self._loop.call_soon(self._look, self._loop.time())

    def stop(self) -> None:
        """Schedule no further call."""
        self._handle.cancel()

    def _look(self, due: float) -> None:
        now = self._loop.time()
        self._pauses.add(max(0.0, now - due))
        self._handle = self._loop.call_at(now + PROBE_S, self._look, now + PROBE_S)
