"""How many candidates a request may score: production's depth controllers, and what they are told of the servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.control.depth import Depths, DepthSample
from pipeline.control.recent import RecentLatencies, TimeAverage
from pipeline.simulation.series import Series
from pipeline.simulation.servers import Server
from pipeline.simulation.settings import SimulationSettings
from schemas.traffic import TrafficClass

LATENCIES = 512
"""Most latencies that a measure looks back on."""


class DepthControl:
    """Measures of the last seconds, and the controllers that go by them."""

    def __init__(self, settings: SimulationSettings) -> None:
        self._depths = Depths(settings.depths)
        self._classes = tuple(settings.depths)
        self.period_s = min((one.period_s for one in settings.depths.values()), default=settings.step_s)
        self._latencies = {one: RecentLatencies(settings.window_s, LATENCIES) for one in self._classes}
        self._waits = RecentLatencies(settings.window_s, LATENCIES)
        self._busy = {one: _Busy(one, settings.window_s) for one in self._classes}

    def depth(self, traffic: TrafficClass) -> int | None:
        """Return how many candidates a request of this class may score; None: any number."""
        return self._depths.depth(traffic)

    def answered(self, now: float, traffic: TrafficClass, latency_s: float) -> None:
        """Take the latency of an answer into account."""
        if traffic in self._latencies:
            self._latencies[traffic].observe(now, latency_s)

    def waited(self, now: float, seconds: float) -> None:
        """Take into account how long a job waited at its server."""
        if self._classes:
            self._waits.observe(now, seconds)

    def step(self, now: float, servers: Sequence[Server], series: Series) -> None:
        """Let every controller take a sample, and note the depths."""
        wait_s = self._waits.percentile(now)
        for traffic in self._classes:
            busy = self._busy[traffic].share(now, servers)
            sample = DepthSample(self._latencies[traffic].percentile(now), wait_s, busy)
            depth = self._depths.observe(now, traffic, sample)
            if depth is not None:
                series.note(f"depth {traffic.label}", now, depth)

    def states(self) -> Mapping[str, float]:
        """Return the depth of every class that has a controller."""
        return {f"depth {traffic.label}": state.depth for traffic, state in self._depths.states().items()}


class _Busy:
    """Which share of the servers' time a class and the higher ones take, lately: the work of lower ones yields."""

    def __init__(self, traffic: TrafficClass, window_s: float) -> None:
        self._traffic, self._average = traffic, TimeAverage(window_s)
        self._seconds = self._at = 0.0

    def share(self, now: float, servers: Sequence[Server]) -> float:
        """Take in what the servers have done up to now."""
        seconds = sum(
            busy_s
            for server in servers
            for priority, busy_s in server.busy_by_priority.items()
            if priority >= self._traffic
        )
        if now > self._at:
            self._average.set(now, (seconds - self._seconds) / (now - self._at) / len(servers))
        self._seconds, self._at = seconds, now
        return self._average.average(now)
