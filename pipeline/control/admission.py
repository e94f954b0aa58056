"""Which work may go to a server now: admit, defer or shed, by traffic class, deadline and a learned limit.

Work that is admitted runs at the server. Deferred work waits here, higher classes first, within a class by its
deadline, and is handed out by `take` as soon as there is room: nothing waits while the server has room for it. Work of
a class that sheds is refused when its answer would come too late; work of any other class is never refused, only late.

Pure: the caller hands in the time, sends what is admitted and tells when it ended. One call costs O(log n) of what
waits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Generic

from pipeline.control.concurrency_limit import Completion, ConcurrencyLimit, LimitState, Outcome
from pipeline.control.expected_latency import ExpectedLatency
from pipeline.control.forward_time import ForwardTime
from pipeline.control.policies import AdmissionSettings
from pipeline.control.waiting_line import ClassState, WaitingLine
from pipeline.control.work import ADMITTED, Decision, Payload, Verdict, Work
from schemas.traffic import TrafficClass

#: Least time after which shed or deferred work is worth sending again.
LEAST_RETRY_S = 0.1
_SOONEST_FIRST = sorted(TrafficClass, reverse=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionState:
    """The whole state for metrics and reports. `latency_s`: expected of an admitted request, None before the first."""

    limit: LimitState
    in_flight: float
    latency_s: float | None
    classes: Mapping[TrafficClass, ClassState]
    steps_back: int


class Admission(Generic[Payload]):
    """Admits work to one server, or to a group of servers, by a limit on the work in flight."""

    __slots__ = (
        "_expected",
        "_in_flight",
        "_limit",
        "_lines",
        "_number",
        "_settings",
        "_time",
    )

    def __init__(self, limit: ConcurrencyLimit, settings: AdmissionSettings | None = None) -> None:
        self._settings = settings or AdmissionSettings()
        self._limit = limit
        self._lines: dict[TrafficClass, WaitingLine[Payload]] = {
            traffic: WaitingLine(self._settings.policies[traffic]) for traffic in _SOONEST_FIRST
        }
        self._in_flight = 0.0
        self._expected = ExpectedLatency()
        self._number = 0
        self._time = ForwardTime()

    def ask(self, now: float, work: Work[Payload]) -> Verdict:
        """Admit the work now, or say when to ask again; nothing is kept. For callers whose work waits elsewhere."""
        now = self._begin(now, work)
        line = self._lines[work.traffic]
        may = self._has_tokens(now, line, work.traffic, work) and self._fits(now, line, work)
        if may and not self._behind(now, line, work.traffic):
            line.admitted += 1
            self._start(now, line, work)
            return ADMITTED
        wait_s = self._expected_wait_s(work.traffic)
        if line.policy.sheds and now + wait_s + self._expected.most_s > work.deadline:
            line.shed += 1
            return Verdict(Decision.SHED, max(LEAST_RETRY_S, wait_s), "the deadline cannot be met")
        if line.bucket is not None and work.tokens:
            wait_s = max(wait_s, line.bucket.wait_s(now, work.tokens))
        line.deferred += 1
        return Verdict(Decision.DEFER, max(LEAST_RETRY_S, wait_s), "no room")

    def offer(self, now: float, work: Work[Payload]) -> Verdict:
        """Admit the work now, keep it until `take` hands it out (defer), or refuse it (shed)."""
        verdict = self.ask(now, work)
        if verdict.decision is Decision.DEFER:
            line = self._lines[work.traffic]
            self._number += 1
            line.add(self._number, work)
        return verdict

    def take(self, now: float) -> Work[Payload] | None:
        """The deferred work that begins now; None if there is none or no room. Call `overdue` first, then until None.

        Of each class only the first may begin, and a class whose first finds no room holds back the lower ones:
        otherwise small work would overtake large work for ever.
        """
        now = self._time.at(now)
        for traffic, line in self._below_own_share():
            if (
                line.waiting
                and self._has_tokens(now, line, traffic)
                and self._fits(now, line, line.waiting[0][2])
            ):
                return self._pop(now, line)
        for traffic, line in self._lines.items():
            if line.waiting and self._has_tokens(now, line, traffic):
                return self._pop(now, line) if self._fits(now, line, line.waiting[0][2]) else None
        return None

    def overdue(self, now: float) -> list[Work[Payload]]:
        """Remove and return waiting work of classes that shed whose answer would come too late: refuse it now."""
        now, gone = self._time.at(now), []
        latest = now + self._expected.most_s
        for line in self._lines.values():
            while line.policy.sheds and line.waiting and line.waiting[0][0] < latest:
                line.shed += 1
                gone.append(line.pop())
        return gone

    def withdraw(self, work: Work[Payload]) -> None:
        """Take deferred work out of the queue, whose caller has given up; raises ValueError if it does not wait."""
        line = self._lines[work.traffic]
        if work.withdrawn or work.began_at != -inf or not line.waiting:
            raise ValueError("work is withdrawn that does not wait")
        line.withdraw(work)

    def done(self, now: float, work: Work[Payload], outcome: Outcome = Outcome.ANSWERED) -> None:
        """Note that admitted work has ended, which makes room and teaches the limit; raises ValueError otherwise."""
        now = self._time.at(now)
        if work.began_at == -inf:
            raise ValueError("work has ended that is not in flight")
        latency_s, work.began_at = now - work.began_at, -inf
        self._limit.observe(now, Completion(latency_s, self._in_flight, work.cost, outcome))
        if outcome is not Outcome.REFUSED:
            self._expected.observe(latency_s)
        line = self._lines[work.traffic]
        line.in_flight -= work.cost
        self._in_flight -= work.cost
        line.active_at = now
        if not any(other.in_flight > 1e-9 for other in self._lines.values()):
            # so that rounding of costs that are no whole numbers does not add up
            self._in_flight = 0.0
            for other in self._lines.values():
                other.in_flight = 0.0

    def wakes_at(self, now: float) -> float | None:
        """When to call `overdue` and `take` again even if nothing happens before; None when nothing waits."""
        now, times = self._time.at(now), []
        for traffic, line in self._lines.items():
            if not line.waiting:
                continue
            deadline, _, work = line.waiting[0]
            if line.policy.sheds and deadline < inf:
                times.append(deadline - self._expected.most_s)
            if line.bucket is not None and work.tokens:
                times.append(now + line.bucket.wait_s(now, work.tokens))
            times += [
                other.active_at + self._settings.quiet_s
                for higher, other in self._lines.items()
                if higher > traffic and other.active_at > now - self._settings.quiet_s
            ]
        later = [time for time in times if time > now]
        return min(later, default=None)

    @property
    def limit(self) -> float:
        """Units of work that may be in flight now."""
        return self._limit.limit

    def saturation(self, traffic: TrafficClass = TrafficClass.ONLINE) -> float:
        """How full the server is, from 0 to 1, for one class: its and higher classes' work over the limit.

        Lower classes do not count, because their work yields: a server that they keep busy has room for this class.
        """
        wanted = sum(
            line.in_flight + line.waiting_cost for higher, line in self._lines.items() if higher >= traffic
        )
        return min(1.0, wanted / self._limit.limit)

    def state(self) -> AdmissionState:
        """The state now."""
        return AdmissionState(
            limit=self._limit.state(),
            in_flight=self._in_flight,
            latency_s=self._expected.mean_s,
            classes={traffic: line.state() for traffic, line in self._lines.items()},
            steps_back=self._time.steps_back,
        )

    def _begin(self, now: float, work: Work[Payload]) -> float:
        if not 0 < work.cost < inf:
            raise ValueError(f"work costs {work.cost:g}: give a finite number above 0")
        if work.deadline != work.deadline:
            raise ValueError("work has the deadline NaN: give a time of the caller's clock, or inf")
        now = self._time.at(now)
        if work.asked_at == -inf:
            work.asked_at = now
        self._lines[work.traffic].active_at = now
        return now

    def _start(self, now: float, line: WaitingLine[Payload], work: Work[Payload]) -> None:
        work.began_at = now
        line.in_flight += work.cost
        line.active_at = now
        self._in_flight += work.cost
        if line.bucket is not None:
            line.bucket.take(now, work.tokens)

    def _pop(self, now: float, line: WaitingLine[Payload]) -> Work[Payload]:
        work = line.pop()
        line.taken += 1
        self._start(now, line, work)
        return work

    def _below_own_share(self) -> list[tuple[TrafficClass, WaitingLine[Payload]]]:
        """The classes that use less than their own share, which have the first turn."""
        limit = self._limit.limit
        return [
            (traffic, line)
            for traffic, line in self._lines.items()
            if line.policy.own_share and line.in_flight < line.policy.own_share * limit
        ]

    def _behind(self, now: float, line: WaitingLine[Payload], traffic: TrafficClass) -> bool:
        """Whether work waits that has its turn before new work of this class."""
        if line.in_flight < line.policy.own_share * self._limit.limit:
            return bool(line.waiting)
        return any(
            other.waiting and self._has_tokens(now, other, higher)
            for higher, other in self._lines.items()
            if higher >= traffic
        )

    def _has_tokens(
        self, now: float, line: WaitingLine[Payload], traffic: TrafficClass, work: Work[Payload] | None = None
    ) -> bool:
        """Whether the class's bucket, if it has one, lets `work` (by default the first that waits) begin."""
        if line.bucket is None or (line.policy.borrows and not self._higher_active(now, traffic)):
            return True
        tokens = (work or line.waiting[0][2]).tokens
        return not tokens or line.bucket.has(now, tokens)

    def _fits(self, now: float, line: WaitingLine[Payload], work: Work[Payload]) -> bool:
        """Whether the limit has room for `work`."""
        if self._in_flight <= 0:
            # one request always runs, however small the limit
            return True
        limit, after = self._limit.limit, self._in_flight + work.cost
        if line.in_flight < line.policy.own_share * limit or not self._higher_active(now, work.traffic):
            return after <= limit
        return after <= line.policy.most_share * limit

    def _higher_active(self, now: float, traffic: TrafficClass) -> bool:
        since = now - self._settings.quiet_s
        for higher, line in self._lines.items():
            if higher <= traffic:
                return False
            if line.active_at > since or line.in_flight > 0 or line.waiting:
                return True
        return False

    def _expected_wait_s(self, traffic: TrafficClass) -> float:
        """Seconds until new work of this class would begin, by the rate that latency and limit make (Little's law)."""
        if self._expected.mean_s is None:
            return 0.0
        ahead = sum(line.waiting_cost for higher, line in self._lines.items() if higher >= traffic)
        return (
            (ahead + max(0.0, self._in_flight - self._limit.limit))
            * self._expected.mean_s
            / self._limit.limit
        )
