"""`FlightTable`: which caller computes a score, who waits for it, who gets the one that is kept. Plain decisions.

The table has no threads and no clock: every method is given `now`, in seconds of a clock that never steps back, and
returns at once. `pipeline/scoring/cached.py` runs it for threads, `pipeline/simulation` under a virtual clock. Whoever
shares a table between threads holds a lock around each call.
"""

import random
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from cachebox import LRUCache

from pipeline.scoring.lifetimes import Kept, Lifetimes, ScoreLifetimes

ENTRIES = 200_000


class Verdict(Enum):
    """What a caller is to do about one key."""

    HIT = "hit"  # take the score
    EARLY = "early"  # take the score, and have it computed anew
    LEAD = "lead"  # compute the score: others wait for it
    WAIT = "wait"  # wait for the flight's end, then look up again
    REJECTED = "rejected"  # the ranker refused the item a short time ago


class Flight:
    """One score being computed. `ends_s`: from then on another caller may take over, unless its leader renews it.

    `signal`: whatever the table's user hangs there for those who wait, such as a future or a list.
    """

    __slots__ = ("began_s", "ends_s", "key", "signal")

    def __init__(self, key: bytes, began_s: float, ends_s: float) -> None:
        self.key = key
        self.began_s = began_s
        self.ends_s = ends_s
        self.signal: Any = None


class Look:
    """The answer for one key: `score` with HIT and EARLY, `reason` with REJECTED, `flight` with EARLY, LEAD, WAIT."""

    __slots__ = ("flight", "reason", "score", "verdict")

    def __init__(
        self, verdict: Verdict, score: float = 0.0, flight: Flight | None = None, reason: str = ""
    ) -> None:
        self.verdict = verdict
        self.score = score
        self.flight = flight
        self.reason = reason


@dataclass(slots=True, kw_only=True)
class FlightCounts:
    """Look-ups by their result, which add up to all look-ups, and what became of flights.

    `hits`: answered, not yet expired. `early`: answered, and this caller refreshes. `stale`: answered with a score that
    has expired and that another caller refreshes. `rejected`: known as refused. `misses`: this caller computes.
    `waits`: another caller computes. `takeovers`: misses whose leader did not answer within its lease. `failures`:
    flights that ended without a score.
    """

    hits: int = 0
    early: int = 0
    stale: int = 0
    rejected: int = 0
    misses: int = 0
    waits: int = 0
    takeovers: int = 0
    failures: int = 0

    @property
    def lookups(self) -> int:
        """All look-ups."""
        return self.hits + self.early + self.stale + self.rejected + self.misses + self.waits


class Memory(Protocol):
    """A bounded map that forgets what was not read for long; expiry is the table's own."""

    def get(self, key: bytes) -> Kept | None:
        """What is kept under the key, and note that it was read."""
        ...

    def insert(self, key: bytes, value: Kept) -> object:
        """Keep it under the key."""
        ...


class FlightTable:
    """Decides for each look-up of a key; `counts` says what it decided. Each call takes a microsecond or two."""

    def __init__(
        self,
        settings: ScoreLifetimes | None = None,
        *,
        entries: int = ENTRIES,
        rng: random.Random | None = None,
        memory: Memory | None = None,
    ) -> None:
        """`entries`: most scores that are kept; `memory`: another map to keep them in."""
        self._lifetimes = Lifetimes(settings or ScoreLifetimes(), rng or random.Random())
        self._memory: Memory = LRUCache[bytes, Kept](entries) if memory is None else memory
        self._flights: dict[bytes, Flight] = {}
        self._now = float("-inf")
        self.counts = FlightCounts()

    @property
    def settings(self) -> ScoreLifetimes:
        """How long what is kept."""
        return self._lifetimes.settings

    def look_up(self, now: float, key: bytes) -> Look:
        """What the caller is to do. ValueError when `now` is before that of an earlier call, or is not a number."""
        self._pass_to(now)
        kept = self._memory.get(key)
        if kept is None or now >= kept.dies_s:
            return self._absent(now, key)
        if kept.reason is not None:
            self.counts.rejected += 1
            return Look(Verdict.REJECTED, reason=kept.reason)
        if not self._lifetimes.refreshes(now, kept):
            self.counts.hits += 1
            return Look(Verdict.HIT, kept.score)
        return self._due(now, key, kept)

    def peek(self, now: float, key: bytes) -> Kept | None:
        """What is kept under the key, if it may still be answered; counts nothing and begins nothing."""
        kept = self._memory.get(key)
        return None if kept is None or now >= kept.dies_s else kept

    def filled(self, now: float, key: bytes, score: float, cost_s: float) -> tuple[Kept, Flight | None]:
        """Keep a computed score. Returns what is kept, and the flight that has ended by it, whoever led it.

        ValueError for a score or a `cost_s` (seconds that it took) that is not finite.
        """
        self._pass_to(now)
        return self.adopted(now, key, self._lifetimes.score(now, score, cost_s))

    def rejected(self, now: float, key: bytes, reason: str) -> tuple[Kept, Flight | None]:
        """Keep that the ranker refused the item of this key, asked about it alone."""
        self._pass_to(now)
        return self.adopted(now, key, self._lifetimes.rejection(now, reason))

    def adopted(self, now: float, key: bytes, kept: Kept) -> tuple[Kept, Flight | None]:
        """Keep what another process found out, with its times; as `filled`."""
        self._pass_to(now)
        self._memory.insert(key, kept)
        return kept, self._flights.pop(key, None)

    def failed(self, now: float, flight: Flight) -> bool:
        """End a flight without a score. An old score stays, and rests for `retry_s` before it is refreshed again.

        False when the flight had ended already, or another caller has taken over from its leader: that one goes on.
        """
        ended = self.left(now, flight)
        self.counts.failures += ended
        return ended

    def left(self, now: float, flight: Flight) -> bool:
        """As `failed`, but no failure: another process computes the score."""
        self._pass_to(now)
        if self._flights.get(flight.key) is not flight:
            return False
        del self._flights[flight.key]
        kept = self._memory.get(flight.key)
        if kept is not None:
            kept.rests_until_s = now + self.settings.retry_s
        return True

    def renewed(self, now: float, flight: Flight) -> bool:
        """Begin a flight's lease anew, because its leader still computes; false as `failed`."""
        self._pass_to(now)
        if self._flights.get(flight.key) is not flight:
            return False
        flight.ends_s = now + self.settings.lease_s
        return True

    def in_flight(self) -> int:
        """How many scores are being computed."""
        return len(self._flights)

    def _absent(self, now: float, key: bytes) -> Look:
        flight = self._flights.get(key)
        if flight is not None and now < flight.ends_s:
            self.counts.waits += 1
            return Look(Verdict.WAIT, flight=flight)
        if flight is not None:
            self.counts.takeovers += 1
        self.counts.misses += 1
        return Look(Verdict.LEAD, flight=self._begin(now, key))

    def _due(self, now: float, key: bytes, kept: Kept) -> Look:
        """The answer for a score that is due for a refresh: one caller begins it, all get the old score."""
        flight = self._flights.get(key)
        if now >= kept.rests_until_s and (flight is None or now >= flight.ends_s):
            self.counts.early += 1
            return Look(Verdict.EARLY, kept.score, self._begin(now, key))
        if now < kept.expires_s:
            self.counts.hits += 1
        else:
            self.counts.stale += 1
        return Look(Verdict.HIT, kept.score)

    def _begin(self, now: float, key: bytes) -> Flight:
        flight = self._flights[key] = Flight(key, now, now + self.settings.lease_s)
        return flight

    def _pass_to(self, now: float) -> None:
        if not now >= self._now:  # also NaN
            raise ValueError(
                f"the score cache's clock stepped back from {self._now!r} to {now!r}: give it a monotonic clock"
            )
        self._now = now
