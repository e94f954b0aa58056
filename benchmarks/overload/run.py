"""Run a trace through a control and the servers, in virtual time, and measure what became of its requests."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random
from typing import Any

from benchmarks.common.figures import percentile
from benchmarks.overload.controls import Control
from benchmarks.overload.requests import BOUND_S, WANTED, Request, Trace
from benchmarks.overload.servers import Servers, Speed
from schemas.traffic import TrafficClass

LOOK_S = 0.1
SLICE_S = 5.0
"""p95 is taken of the online requests of each 5 s."""
DRAIN_S = 600.0
"""What waits at a trace's end is waited for so long."""


@dataclass(slots=True)
class Outcome:
    """What became of a trace: its requests, and the depth and online's share of the workers at each look."""

    trace: Trace
    capacity: float
    looks: list[tuple[float, int, float]] = field(default_factory=list)

    def online(self, begin: float = 0.0, end: float = float("inf")) -> list[Request]:
        """The online requests that came within a time."""
        return [one for one in self.trace.requests if one.is_online and begin <= one.at < end]

    def alerts(self) -> list[Request]:
        """The alerts' score requests."""
        return [one for one in self.trace.requests if one.traffic is TrafficClass.NEARLINE]

    def p95_s(self, begin: float = 0.0, end: float = float("inf")) -> float:
        """p95 of the online requests that were answered."""
        answered = [one.latency_s for one in self.online(begin, end) if not one.shed]
        return percentile(answered, 0.95) if answered else 0.0

    def p95_of_all_s(self) -> float:
        """p95 of all online requests, of which one that was shed counts as never answered."""
        return percentile([float("inf") if one.shed else one.latency_s for one in self.online()], 0.95)

    def worst_p95_s(self) -> float:
        """The highest p95 of any 5 s in which at least 20 online requests were answered."""
        worst, begin = 0.0, 0.0
        while begin < self.trace.seconds:
            if sum(not one.shed for one in self.online(begin, begin + SLICE_S)) >= 20:
                worst = max(worst, self.p95_s(begin, begin + SLICE_S))
            begin += SLICE_S
        return worst

    def shed(self) -> float:
        """The share of the online requests that was shed."""
        online = self.online()
        return sum(one.shed for one in online) / len(online)

    def goodput(self) -> float:
        """Within the bursts, candidates of online requests in time and of alerts, over what the servers can do."""
        good = seconds = 0.0
        for begin, end in self.trace.bursts:
            seconds += end - begin
            for one in self.trace.requests:
                if begin <= one.done_at < end and (not one.is_online or one.latency_s <= BOUND_S):
                    good += one.candidates
        return good / (seconds * self.capacity)

    def lost(self) -> int:
        """Alerts that were shed or not done at the end."""
        return sum(one.shed or one.done_at == float("inf") for one in self.alerts())

    def late_s(self) -> float:
        """The longest time from an alert's arrival to its score."""
        return max((one.latency_s for one in self.alerts()), default=0.0)

    def depth_back_s(self) -> float:
        """The longest time from a burst's end until an online request scores all its candidates again."""
        longest = 0.0
        for _, end in self.trace.bursts:
            back = [at for at, depth, _ in self.looks if at >= end and depth >= WANTED]
            longest = max(longest, (back[0] if back else float("inf")) - end)
        return longest

    def mean_depth(self, begin: float, end: float) -> float:
        """Mean of the candidates that online requests were to score when they came."""
        found = [one.candidates for one in self.online(begin, end)]
        return sum(found) / len(found)

    def per_s(self) -> float:
        """Candidates scored a second, up to the trace's end."""
        done = sum(one.candidates for one in self.trace.requests if one.done_at <= self.trace.seconds)
        return done / self.trace.seconds


class _World:
    """The events of one run."""

    def __init__(self, trace: Trace, control: Control, servers: Servers) -> None:
        self._trace, self._control, self._servers = trace, control, servers
        self._events: list[tuple[float, int, Request]] = []
        self._number = self._looks = 0
        self.outcome = Outcome(trace, servers.workers * servers.speed.items_per_s)

    def run(self) -> Outcome:
        arrivals, next_look = iter(self._trace.requests), 0.0
        coming = next(arrivals, None)
        ends = self._trace.seconds + DRAIN_S
        while True:
            now = min(
                next_look,
                coming.at if coming else float("inf"),
                self._events[0][0] if self._events else float("inf"),
            )
            if now > ends:
                break
            if now == next_look:
                if now > self._trace.seconds and self._looks % 10 == 0 and not self._waits():
                    break
                self._look(now)
                self._looks += 1
                next_look = self._looks * LOOK_S
            elif coming is not None and now == coming.at:
                self._arrive(now, coming)
                coming = next(arrivals, None)
            else:
                self._job_ended(now, heappop(self._events)[2])
        return self.outcome

    def _waits(self) -> bool:
        return any(one.done_at == float("inf") and not one.shed for one in self._trace.requests)

    def _arrive(self, now: float, request: Request) -> None:
        depth = self._control.depth()
        if request.is_online and depth is not None:
            request.candidates = min(request.wanted, depth)
        self._begin(now, self._control.offer(now, request))

    def _look(self, now: float) -> None:
        busy = self._servers.busy_online / self._servers.workers
        depth = self._control.depth()
        self.outcome.looks.append((now, WANTED if depth is None else min(WANTED, depth), busy))
        self._begin(now, self._control.look(now, busy))

    def _job_ended(self, now: float, request: Request) -> None:
        if self._servers.end(request):
            request.done_at = now
            self._begin(now, self._control.done(now, request))
        self._fill(now)

    def _begin(self, now: float, requests: Iterable[Request]) -> None:
        for request in requests:
            self._servers.put(request)
        self._fill(now)

    def _fill(self, now: float) -> None:
        while (job := self._servers.begin()) is not None:
            request, _, seconds = job
            self._number += 1
            heappush(self._events, (now + seconds, self._number, request))


def run(trace: Trace, control: Control, speed: Speed, workers: int, seed: int) -> Outcome:
    """Run a trace; its requests are changed, so that it can be run once."""
    return _World(trace, control, Servers(speed, workers, Random(seed))).run()


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The figures of several runs of one control: medians of shares, the worst of bounds."""
    return {
        "worst online p95 of 5 s, ms": round(1000 * max(one.worst_p95_s() for one in outcomes)),
        "online shed": f"{max(one.shed() for one in outcomes):.1%}",
        "alerts lost": sum(one.lost() for one in outcomes),
        "longest wait of an alert, s": round(max(one.late_s() for one in outcomes), 1),
        "goodput": f"{min(one.goodput() for one in outcomes):.1%}",
        "depth back, s": round(max(one.depth_back_s() for one in outcomes), 1),
        "lowest depth": min(depth for one in outcomes for _, depth, _ in one.looks),
    }
