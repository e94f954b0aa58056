"""What stands between requests and servers: nothing, the usual limits, and ours."""

from collections import deque
from collections.abc import Iterable
from math import inf
from typing import Protocol

from typing_extensions import override

from benchmarks.overload.requests import Request
from pipeline.control.admission import Admission
from pipeline.control.concurrency_limit import Completion, ConcurrencyLimit
from pipeline.control.depth import DepthController, DepthSample
from pipeline.control.policies import AdmissionSettings
from pipeline.control.recent import RecentLatencies, TimeAverage
from pipeline.control.work import Decision, Work

RETRY_S = 1.0
"""Alerts that are refused stay in their topic and come again after this time."""
WINDOW_S = 2.0


class Control(Protocol):
    """Decides when requests begin. Every call returns the requests that begin now."""

    def offer(self, now: float, request: Request) -> Iterable[Request]:
        """A request has come."""
        ...

    def done(self, now: float, request: Request) -> Iterable[Request]:
        """A request that had begun is done."""
        ...

    def look(self, now: float, busy_online: float) -> Iterable[Request]:
        """A tenth of a second has passed; `busy_online`: the share of the workers that compute online requests."""
        ...

    def depth(self) -> int | None:
        """Candidates that an online request scores now; None: all that it has."""
        ...


class NoControl(Control):
    """Everything begins at once."""

    @override
    def offer(self, now: float, request: Request) -> Iterable[Request]:
        """The request."""
        return (request,)

    @override
    def done(self, now: float, request: Request) -> Iterable[Request]:
        """Nothing waits."""
        return ()

    @override
    def look(self, now: float, busy_online: float) -> Iterable[Request]:
        """Nothing waits."""
        return ()

    @override
    def depth(self) -> int | None:
        """All."""
        return None


class Blind(NoControl):
    """A limit on the candidates in flight without classes; what finds no room is refused.

    An online request that is refused is shed; an alert comes again after `RETRY_S`.
    """

    def __init__(self, limit: ConcurrencyLimit) -> None:
        self._limit, self._in_flight = limit, 0.0
        self._again: deque[tuple[float, Request]] = deque()

    @override
    def offer(self, now: float, request: Request) -> Iterable[Request]:
        """The request, if it finds room."""
        if self._in_flight and self._in_flight + request.candidates > self._limit.limit:
            self._refuse(now, request)
            return ()
        return (self._begin(now, request),)

    @override
    def done(self, now: float, request: Request) -> Iterable[Request]:
        """Teach the limit."""
        done = Completion(now - request.began_at, self._in_flight, request.candidates)
        self._limit.observe(now, done)
        self._in_flight -= request.candidates
        return ()

    @override
    def look(self, now: float, busy_online: float) -> Iterable[Request]:
        """The alerts that come again and find room."""
        begun = list[Request]()
        while self._again and self._again[0][0] <= now:
            begun += self.offer(now, self._again.popleft()[1])
        return begun

    def _begin(self, now: float, request: Request) -> Request:
        self._in_flight += request.candidates
        request.began_at = now
        return request

    def _refuse(self, now: float, request: Request) -> None:
        if request.is_online:
            request.shed = True
        else:
            self._again.append((now + RETRY_S, request))


class Queued(Blind):
    """A fixed limit with a queue without end before it: first come, first served."""

    def __init__(self, limit: ConcurrencyLimit) -> None:
        super().__init__(limit)
        self._waiting: deque[tuple[float, Request]] = deque()

    @override
    def offer(self, now: float, request: Request) -> Iterable[Request]:
        """The request goes to the end of the queue."""
        self._waiting.append((now, request))
        return self._from_queue(now)

    @override
    def done(self, now: float, request: Request) -> Iterable[Request]:
        """Whatever finds room now."""
        super().done(now, request)
        return self._from_queue(now)

    def _from_queue(self, now: float) -> list[Request]:
        begun = list[Request]()
        while self._waiting:
            since, request = self._waiting[0]
            if self._in_flight and self._in_flight + request.candidates > self._limit.limit:
                break
            self._waiting.popleft()
            if self._drops(now, since):
                self._refuse(now, request)
            else:
                begun.append(self._begin(now, request))
        return begun

    def _drops(self, _now: float, _since: float) -> bool:
        return False


class CoDel(Queued):
    """The same queue under CoDel: it drops once requests have waited above `target_s` for `interval_s`.

    Nichols and Jacobson, "Controlling queue delay" (2012): the drops come faster as long as that lasts.
    """

    def __init__(self, limit: ConcurrencyLimit, target_s: float, interval_s: float) -> None:
        super().__init__(limit)
        self._target_s, self._interval_s = target_s, interval_s
        self._above_since, self._next_at, self._dropped = inf, inf, 0

    @override
    def _drops(self, now: float, since: float) -> bool:
        if now - since < self._target_s:
            self._above_since, self._next_at, self._dropped = inf, inf, 0
            return False
        if self._above_since == inf:
            self._above_since, self._next_at = now, now + self._interval_s
        if now < self._next_at:
            return False
        self._dropped += 1
        self._next_at = now + self._interval_s / self._dropped**0.5
        return True


class Ours(Control):
    """Admission by class and deadline, and a depth for online requests (None: they score all)."""

    def __init__(
        self, limit: ConcurrencyLimit, settings: AdmissionSettings, depth: DepthController | None
    ) -> None:
        self.admission: Admission[Request] = Admission(limit, settings)
        self.controller = depth
        self._latencies, self._waits = RecentLatencies(WINDOW_S), RecentLatencies(WINDOW_S)
        self._busy = TimeAverage(WINDOW_S)

    @override
    def offer(self, now: float, request: Request) -> Iterable[Request]:
        """The request, if it is admitted."""
        request.work = Work(request.traffic, request.candidates, request, request.deadline)
        verdict = self.admission.offer(now, request.work)
        if verdict.decision is Decision.ADMIT:
            return (self._begun(now, request),)
        if verdict.decision is Decision.SHED:
            self._shed(now, request)
        return ()

    @override
    def done(self, now: float, request: Request) -> Iterable[Request]:
        """Whatever finds room now."""
        if request.is_online:
            self._latencies.observe(now, now - request.at)
        if request.work is not None:
            self.admission.done(now, request.work)
        return self._taken(now)

    @override
    def look(self, now: float, busy_online: float) -> Iterable[Request]:
        """Let the depth follow, and begin what has room."""
        self._busy.set(now, busy_online)
        if self.controller is not None:
            measured = (self._latencies.percentile(now), self._waits.percentile(now), self._busy.average(now))
            self.controller.observe(now, DepthSample(*measured))
        return self._taken(now)

    @override
    def depth(self) -> int | None:
        """As the controller says."""
        return None if self.controller is None else self.controller.depth

    def _taken(self, now: float) -> list[Request]:
        for work in self.admission.overdue(now):
            self._shed(now, work.payload)
        begun = list[Request]()
        while (work_now := self.admission.take(now)) is not None:
            begun.append(self._begun(now, work_now.payload))
        return begun

    def _begun(self, now: float, request: Request) -> Request:
        request.began_at = now
        if request.is_online:
            self._waits.observe(now, now - request.at)
        return request

    def _shed(self, now: float, request: Request) -> None:
        request.shed = True
        self._waits.observe(now, now - request.at)
