"""Virtual time: it moves only when the simulation moves it, and events happen in the order of their times."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Any

from schemas.errors import ConfigError

Event = Callable[[Any], None]


class VirtualClock:
    """The simulation's time in seconds from its start; a call returns it, so that it can stand for `time.monotonic`."""

    __slots__ = ("now",)

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def advance(self, to: float) -> None:
        """Move the time to `to`. ConfigError for a time before the present one, and for one that is not finite."""
        if not self.now <= to < math.inf:
            raise ConfigError(f"the simulation's clock stands at {self.now} s and cannot go to {to} s")
        self.now = to


class Agenda:
    """Events that wait for their times; those of one time happen in the order in which they were added."""

    __slots__ = ("_count", "_waiting", "clock")

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self._waiting: list[tuple[float, int, Event, Any]] = []
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, at: float, event: Event, what: Any = None) -> None:
        """Have `event(what)` called at the time `at`. ConfigError for a time that is past or not finite."""
        if not self.clock.now <= at < math.inf:
            raise ConfigError(f"an event at {at} s cannot be added: the simulation is at {self.clock.now} s")
        self._count += 1
        heapq.heappush(self._waiting, (at, self._count, event, what))

    def run_until(self, end: float) -> None:
        """Let all events up to and at `end` happen, and those that they add; then the time is `end`."""
        waiting, clock = self._waiting, self.clock
        while waiting and waiting[0][0] <= end:
            at, _, event, what = heapq.heappop(waiting)
            clock.now = at
            event(what)
        if not clock.now <= end < math.inf:
            clock.advance(end)  # which refuses it
        clock.now = end

    def run_out(self) -> None:
        """Let events happen until none waits."""
        while self._waiting:
            self.run_until(self._waiting[0][0])
