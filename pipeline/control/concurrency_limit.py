"""How much work may be in flight at a server: a fixed limit, or one learned by additive increase and shrinking.

Every limit is a state machine without a clock of its own: `observe(now, completion) -> limit`. A unit of work is
whatever the caller counts, such as a candidate. A request that the server refused teaches nothing: how fast a refusal
comes says nothing about how long an answer takes.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import inf, isfinite
from typing import NamedTuple, Protocol

from typing_extensions import override

from pipeline.control.checks import need_order, need_positive, need_share
from pipeline.control.forward_time import ForwardTime


class Outcome(StrEnum):
    """How a request ended: answered, given up without an answer (late), or refused by the server."""

    ANSWERED = "answered"
    LATE = "late"
    REFUSED = "refused"


class Completion(NamedTuple):
    """A request that has ended. `in_flight`: the work in flight when it ended, its own `cost` included.

    `latency_s`: from its start at the server, so that time in a queue before does not count.
    """

    latency_s: float
    in_flight: float
    cost: float = 1.0
    outcome: Outcome = Outcome.ANSWERED


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitState:
    """A limit for metrics and reports. `baseline_s`: the latency without a queue, where a limit knows one.

    `ignored`: completions that taught nothing: refused ones, and latencies that cannot be.
    """

    limit: float
    baseline_s: float | None = None
    increases: int = 0
    decreases: int = 0
    ignored: int = 0
    steps_back: int = 0


class ConcurrencyLimit(Protocol):
    """Most work that may be in flight at a server."""

    @property
    def limit(self) -> float:
        """Most units of work in flight now."""
        ...

    def observe(self, now: float, done: Completion) -> float:
        """Learn from a request that ended now; returns the limit."""
        ...

    def state(self) -> LimitState:
        """The state now."""
        ...


class FixedLimit(ConcurrencyLimit):
    """A limit that somebody chose."""

    __slots__ = ("_limit",)

    def __init__(self, limit: float) -> None:
        need_positive("limit", limit=limit)
        self._limit = float(limit)

    @property
    @override
    def limit(self) -> float:
        """The limit as it was given."""
        return self._limit

    @override
    def observe(self, now: float, done: Completion) -> float:
        """Learn nothing."""
        return self._limit

    @override
    def state(self) -> LimitState:
        """The limit alone."""
        return LimitState(limit=self._limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class AimdSettings:
    """Bounds and steps of `AimdLimit`; ConfigError for settings that cannot work.

    `bound_s`: an answer that took longer lowers the limit to `ratio` of what was in flight, once a round trip. `step`:
    units that a round trip of answers within the bound adds.
    """

    start: float = 100.0
    least: float = 10.0
    most: float = 10_000.0
    bound_s: float = 0.35
    ratio: float = 0.8
    step: float = 10.0

    def __post_init__(self) -> None:
        need_positive("aimd limit", least=self.least, bound_s=self.bound_s, step=self.step)
        need_share("aimd limit", ratio=self.ratio)
        need_order("aimd limit", "least", self.least, "start", self.start)
        need_order("aimd limit", "start", self.start, "most", self.most)


class AimdLimit(ConcurrencyLimit):
    """Grows a little with each answer within the bound while the limit is used, shrinks at once after a late one."""

    __slots__ = ("_decreases", "_ignored", "_increases", "_limit", "_settings", "_shrunk_at", "_time")

    def __init__(self, settings: AimdSettings) -> None:
        self._settings = settings
        self._limit = settings.start
        self._shrunk_at = -inf
        self._increases = self._decreases = self._ignored = 0
        self._time = ForwardTime()

    @property
    @override
    def limit(self) -> float:
        """Between `least` and `most`."""
        return self._limit

    @override
    def observe(self, now: float, done: Completion) -> float:
        """Shrink after a late answer to a request that began after the last decrease; grow if the limit was used."""
        now, own = self._time.at(now), self._settings
        if not is_lesson(done):
            self._ignored += 1
        elif done.outcome is Outcome.LATE or done.latency_s > own.bound_s:
            if now - done.latency_s >= self._shrunk_at:
                self._shrunk_at = now
                self._limit = max(own.least, min(self._limit, done.in_flight) * own.ratio)
                self._decreases += 1
        elif 2 * done.in_flight >= self._limit:
            self._limit = min(own.most, self._limit + own.step * done.cost / self._limit)
            self._increases += 1
        return self._limit

    @override
    def state(self) -> LimitState:
        """The limit and its changes; this limit knows no latency without a queue."""
        return LimitState(
            limit=self._limit,
            increases=self._increases,
            decreases=self._decreases,
            ignored=self._ignored,
            steps_back=self._time.steps_back,
        )


def is_lesson(done: Completion) -> bool:
    """Whether a limit may learn from this completion: it was not refused, and its figures can be."""
    return (
        done.outcome is not Outcome.REFUSED
        and isfinite(done.latency_s)
        and done.latency_s >= 0
        and isfinite(done.in_flight)
        and done.cost > 0
        and isfinite(done.cost)
    )
