"""What happened in a run: every request from its arrival to its one end, in counts and over time."""

from __future__ import annotations

from pipeline.simulation.asked import Asked
from pipeline.simulation.clock import VirtualClock
from pipeline.simulation.outcomes import Ending, Tally
from pipeline.simulation.series import Series
from schemas.traffic import TrafficClass


def _named(what: str) -> dict[TrafficClass, str]:
    return {traffic: f"{what} {traffic.label}" for traffic in TrafficClass}


ARRIVED, ENDED, DEFERRED, SHED = map(_named, ("arrived", "ended", "deferred", "shed"))
"""Names of the series."""


class Journal:
    """Counts by traffic class, and series over the simulated time."""

    def __init__(self, clock: VirtualClock, step_s: float) -> None:
        self._clock = clock
        self.series = Series(step_s)
        self.tallies = {traffic: Tally() for traffic in TrafficClass}
        self.open = 0
        """Requests that have not ended."""
        self.last_end_s = 0.0
        self._kept = self._cached = 0

    def arrived(self, asked: Asked) -> None:
        """Count a request that has arrived."""
        traffic = asked.traffic
        tally, wanted = self.tallies[traffic], len(asked.request.candidates)
        tally.arrived += 1
        tally.asked_items += wanted
        tally.cut_items += wanted - asked.kept
        self.open += 1
        self.series.add(ARRIVED[traffic], self._clock.now)

    def deferred(self, asked: Asked) -> None:
        """Count a request that has to wait."""
        self.tallies[asked.traffic].deferred += 1
        self.series.add(DEFERRED[asked.traffic], self._clock.now)

    def shed(self, asked: Asked) -> None:
        """Count a request that was refused, which is its end."""
        self.series.add(SHED[asked.traffic], self._clock.now)
        self._end(asked, Ending.SHED)

    def scored(self, asked: Asked) -> None:
        """Count a request whose candidates are all known, or given up by a server: its end."""
        request = asked.request
        late = self._clock.now - request.at > request.deadline_s
        self._end(asked, Ending.FAILED if asked.expired else Ending.LATE if late else Ending.ANSWERED)

    def note_hits(self) -> None:
        """Note which share of the candidates since the last call the cache had."""
        tallies = self.tallies.values()
        kept = sum(tally.asked_items - tally.cut_items for tally in tallies)
        cached = sum(tally.cached_items for tally in tallies)
        if kept > self._kept:
            self.series.note("hit rate", self._clock.now, (cached - self._cached) / (kept - self._kept))
        self._kept, self._cached = kept, cached

    def _end(self, asked: Asked, ending: Ending) -> None:
        """Count a request's end. RuntimeError for a second one."""
        if asked.ended:
            raise RuntimeError(f"the request at {asked.request.at} s ended twice: a fault of the simulation")
        asked.ended, now = True, self._clock.now
        self.open -= 1
        self.last_end_s = now
        traffic = asked.traffic
        self.tallies[traffic].end(ending, now, now - asked.request.at)
        self.series.add(ENDED[traffic], now)
