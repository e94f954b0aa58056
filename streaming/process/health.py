"""Know whether a process's loop turns: the age of its last turn, and what it waits for."""

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge

#: Above the longest step between two calls of `turned`: the consumer's slice of model calls (50 s) that also asks the
#: topic of alerts (40 s), its transaction (60 s), or the matcher's commit (95 s).
LIMIT_S = 120.0


class LoopHealth:
    """Remembers when the loop last finished a turn, and why it cannot work, if it says so.

    A loop that has nothing to do turns all the same, so that one whose last turn is older than `limit_s` stands still:
    a call of it does not come back. A new process counts as having turned when it started.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        limit_s: float = LIMIT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit_s, self._clock = limit_s, clock
        self._turned_s, self._trouble = clock(), ""
        age = Gauge(
            "nearline_last_turn_age_seconds",
            "Time since the loop last finished a turn; it grows while the loop stands still.",
            registry=registry,
        )
        age.set_function(self.age_s)

    def turned(self, trouble: str = "") -> None:
        """Note that the loop has finished a turn; `trouble` says in one line why it cannot do its work now."""
        self._turned_s, self._trouble = self._clock(), trouble

    def age_s(self) -> float:
        """Seconds since the last turn."""
        return self._clock() - self._turned_s

    def stands_still(self) -> str:
        """One line that says for how long no turn has ended, when that is too long; "" otherwise."""
        age_s = self.age_s()
        if age_s <= self._limit_s:
            return ""
        return f"the loop stands still: no turn has ended for {age_s:.0f} s (more than {self._limit_s:g} s)"

    def trouble(self) -> str:
        """One line that says why the process does not do its work now; "" while it does."""
        return self.stands_still() or self._trouble
