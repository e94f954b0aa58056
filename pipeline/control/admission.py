"""Which work may go to a server now: admit, defer or shed, by traffic class, deadline and a learned limit.

Work that is admitted runs at the server. Deferred work waits here, higher classes first, within a class by its
deadline, and is handed out by `take` as soon as there is room: nothing waits while the server has room for it. Work of
a class that sheds is refused when its answer would come too late; work of any other class is never refused, only late.

Pure: the caller hands in the time, sends what is admitted and tells when it ended. One call costs O(log n) of what
waits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from heapq import heappop, heappush
from math import inf
from typing import Generic, NamedTuple, TypeVar

from pipeline.control.buckets import TokenBucket
from pipeline.control.checks import need_at_least_0, need_positive, need_share
from pipeline.control.concurrency_limit import Completion, ConcurrencyLimit, LimitState, Outcome
from pipeline.control.forward_time import ForwardTime
from schemas.errors import ConfigError
from schemas.traffic import TrafficClass

Payload = TypeVar("Payload")

#: Weight of a new latency in the expected one, and how many deviations above it still count as expected.
NEW, DEVIATIONS = 0.1, 2.0
#: Least time after which shed or deferred work is worth sending again.
LEAST_RETRY_S = 0.1
_SOONEST_FIRST = sorted(TrafficClass, reverse=True)


class Decision(StrEnum):
    """What becomes of work that is offered."""

    ADMIT = "admit"
    DEFER = "defer"
    SHED = "shed"


class Verdict(NamedTuple):
    """A decision, with when to come again (seconds) and why, where it is not `admit`."""

    decision: Decision
    retry_after_s: float = 0.0
    reason: str = ""


ADMITTED = Verdict(Decision.ADMIT)


@dataclass(slots=True, eq=False)
class Work(Generic[Payload]):
    """One request. `cost`: its units of work, such as candidates. `deadline`: by when it has to be answered (inf: any).

    `charge`: tokens that it takes from its class's bucket, by default its cost. `asked_at`, `began_at` (-inf: not in
    flight) and `withdrawn` are set by `Admission`.
    """

    traffic: TrafficClass
    cost: float
    payload: Payload
    deadline: float = inf
    charge: float | None = None
    asked_at: float = -inf
    began_at: float = -inf
    withdrawn: bool = False

    @property
    def tokens(self) -> float:
        """What it takes from its class's bucket."""
        return self.cost if self.charge is None else self.charge


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassPolicy:
    """How one class is treated; ConfigError for settings that cannot work.

    `sheds`: whether work is refused that cannot meet its deadline. `own_share`: the share of the limit that the class
    may always use, also before higher classes, so that it never starves. `most_share`: up to which share of the limit
    all work in flight may come while a higher class is active and this class wants to begin; the rest is kept free for
    that higher class. `rate_per_s`, `burst`: a token bucket in units of work; `borrows`: whether work may begin without
    tokens while no higher class is active.
    """

    sheds: bool = False
    own_share: float = 0.0
    most_share: float = 1.0
    rate_per_s: float | None = None
    burst: float | None = None
    borrows: bool = True

    def __post_init__(self) -> None:
        need_at_least_0("admission", own_share=self.own_share)
        need_share("admission", most_share=self.most_share)
        if self.own_share > self.most_share:
            raise ConfigError(
                f"admission: own_share {self.own_share:g} is above most_share {self.most_share:g}: lower it"
            )

    def bucket(self) -> TokenBucket | None:
        """A full bucket, one second's worth unless `burst` says otherwise; None without a rate."""
        if self.rate_per_s is None:
            return None
        return TokenBucket(self.rate_per_s, self.rate_per_s if self.burst is None else self.burst)


def _policies() -> dict[TrafficClass, ClassPolicy]:
    return {
        TrafficClass.ONLINE: ClassPolicy(sheds=True),
        TrafficClass.NEARLINE: ClassPolicy(own_share=0.05, most_share=0.7),
        TrafficClass.REFRESH: ClassPolicy(sheds=True, most_share=0.5),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionSettings:
    """`policies` of every class. A class is active while it has work in flight or waiting, and for `quiet_s` after."""

    policies: Mapping[TrafficClass, ClassPolicy] = field(default_factory=_policies)
    quiet_s: float = 1.0

    def __post_init__(self) -> None:
        need_positive("admission", quiet_s=self.quiet_s)
        missing = [traffic.label for traffic in TrafficClass if traffic not in self.policies]
        if missing:
            raise ConfigError(f"admission: no policy for {', '.join(missing)}: give one for each class")
        if sum(policy.own_share for policy in self.policies.values()) > 1:
            raise ConfigError("admission: the own_share of all classes together is above 1: lower them")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassState:
    """Counts of one class: work offered so far by decision, and its units in flight and waiting now.

    `shed` counts work that was refused at once or while it waited; `taken` counts deferred work that was handed out.
    """

    admitted: int
    deferred: int
    taken: int
    shed: int
    withdrawn: int
    in_flight: float
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionState:
    """The whole state for metrics and reports. `latency_s`: expected of an admitted request, None before the first."""

    limit: LimitState
    in_flight: float
    latency_s: float | None
    classes: Mapping[TrafficClass, ClassState]
    steps_back: int


class _Line(Generic[Payload]):
    """One class: its policy, what waits, what is in flight, and counts."""

    __slots__ = (
        "active_at", "admitted", "bucket", "count", "deferred", "in_flight", "policy", "shed", "taken", "waiting",
        "waiting_cost", "withdrawn",
    )  # fmt: skip

    def __init__(self, policy: ClassPolicy) -> None:
        self.policy, self.bucket = policy, policy.bucket()
        self.waiting: list[tuple[float, int, Work[Payload]]] = []
        self.waiting_cost = self.in_flight = 0.0
        self.active_at = -inf
        self.admitted = self.deferred = self.taken = self.shed = self.withdrawn = self.count = 0

    def add(self, number: int, work: Work[Payload]) -> None:
        heappush(self.waiting, (work.deadline, number, work))
        self.count += 1
        self.waiting_cost += work.cost

    def pop(self) -> Work[Payload]:
        """The first work that waits; the first of the heap is never withdrawn."""
        _, _, work = heappop(self.waiting)
        self._forget(work)
        self._skip()
        return work

    def withdraw(self, work: Work[Payload]) -> None:
        work.withdrawn = True
        self.withdrawn += 1
        self._forget(work)
        self._skip()

    def _forget(self, work: Work[Payload]) -> None:
        self.count -= 1
        # so that rounding of costs that are no whole numbers does not add up
        self.waiting_cost = self.waiting_cost - work.cost if self.count else 0.0

    def _skip(self) -> None:
        while self.waiting and self.waiting[0][2].withdrawn:
            heappop(self.waiting)

    def state(self) -> ClassState:
        return ClassState(
            admitted=self.admitted,
            deferred=self.deferred,
            taken=self.taken,
            shed=self.shed,
            withdrawn=self.withdrawn,
            in_flight=self.in_flight,
            waiting=self.count,
        )


class Admission(Generic[Payload]):
    """Admits work to one server, or to a group of servers, by a limit on the work in flight."""

    __slots__ = (
        "_deviation_s",
        "_in_flight",
        "_latency_s",
        "_limit",
        "_lines",
        "_number",
        "_settings",
        "_time",
    )

    def __init__(self, limit: ConcurrencyLimit, settings: AdmissionSettings | None = None) -> None:
        self._settings = settings or AdmissionSettings()
        self._limit = limit
        self._lines: dict[TrafficClass, _Line[Payload]] = {
            traffic: _Line(self._settings.policies[traffic]) for traffic in _SOONEST_FIRST
        }
        self._in_flight = 0.0
        self._latency_s: float | None = None
        self._deviation_s = 0.0
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
        if line.policy.sheds and now + wait_s + self._expected_s() > work.deadline:
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
        latest = now + self._expected_s()
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
            self._expect(latency_s)
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
                times.append(deadline - self._expected_s())
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
            latency_s=self._latency_s,
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

    def _start(self, now: float, line: _Line[Payload], work: Work[Payload]) -> None:
        work.began_at = now
        line.in_flight += work.cost
        line.active_at = now
        self._in_flight += work.cost
        if line.bucket is not None:
            line.bucket.take(now, work.tokens)

    def _pop(self, now: float, line: _Line[Payload]) -> Work[Payload]:
        work = line.pop()
        line.taken += 1
        self._start(now, line, work)
        return work

    def _below_own_share(self) -> list[tuple[TrafficClass, _Line[Payload]]]:
        """The classes that use less than their own share, which have the first turn."""
        limit = self._limit.limit
        return [
            (traffic, line)
            for traffic, line in self._lines.items()
            if line.policy.own_share and line.in_flight < line.policy.own_share * limit
        ]

    def _behind(self, now: float, line: _Line[Payload], traffic: TrafficClass) -> bool:
        """Whether work waits that has its turn before new work of this class."""
        if line.in_flight < line.policy.own_share * self._limit.limit:
            return bool(line.waiting)
        return any(
            other.waiting and self._has_tokens(now, other, higher)
            for higher, other in self._lines.items()
            if higher >= traffic
        )

    def _has_tokens(
        self, now: float, line: _Line[Payload], traffic: TrafficClass, work: Work[Payload] | None = None
    ) -> bool:
        """Whether the class's bucket, if it has one, lets `work` (by default the first that waits) begin."""
        if line.bucket is None or (line.policy.borrows and not self._higher_active(now, traffic)):
            return True
        tokens = (work or line.waiting[0][2]).tokens
        return not tokens or line.bucket.has(now, tokens)

    def _fits(self, now: float, line: _Line[Payload], work: Work[Payload]) -> bool:
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

    def _expect(self, latency_s: float) -> None:
        if self._latency_s is None:
            self._latency_s = latency_s
            return
        self._deviation_s += NEW * (abs(latency_s - self._latency_s) - self._deviation_s)
        self._latency_s += NEW * (latency_s - self._latency_s)

    def _expected_s(self) -> float:
        """How long an admitted request is likely to take at most; 0 before the first answer."""
        return 0.0 if self._latency_s is None else self._latency_s + DEVIATIONS * self._deviation_s

    def _expected_wait_s(self, traffic: TrafficClass) -> float:
        """Seconds until new work of this class would begin, by the rate that latency and limit make (Little's law)."""
        if self._latency_s is None:
            return 0.0
        ahead = sum(line.waiting_cost for higher, line in self._lines.items() if higher >= traffic)
        return (ahead + max(0.0, self._in_flight - self._limit.limit)) * self._latency_s / self._limit.limit
