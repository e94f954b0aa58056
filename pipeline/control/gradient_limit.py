"""A concurrency limit learned from the ratio of the latency without a queue to the latency now.

The limit is multiplied by that ratio while answers are slow, and grows by its square root while they are not. The
latency without a queue is measured, for each size of work its own: from time to time the limit is `probe` for as long
as it takes to see a few answers to requests that began then. `probe` and the floor `least` are two settings, because a
floor that a server needs in normal work may be far too much to measure an idle server by. The square root is added only
when the ratio is 1: added always, it lets the limit climb without end where the ratio stays a little below 1.
"""

from dataclasses import dataclass
from math import inf, sqrt

from typing_extensions import override

from pipeline.control.baselines import Baselines
from pipeline.control.checks import need_order, need_positive, need_share
from pipeline.control.concurrency_limit import Completion, ConcurrencyLimit, LimitState, Outcome, is_lesson
from pipeline.control.forward_time import ForwardTime

#: A window of answers at most halves the limit.
LEAST_RATIO = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientSettings:
    """Bounds and rhythm of `GradientLimit`; ConfigError for settings that cannot work.

    `tolerance`: latencies up to so many times the baseline count as no queue. `window`: answers between two changes.
    `smoothing`: the weight of each decrease; an increase is small enough by itself. `probe_every_s`: from one
    measurement of the baselines to the next; `probe_answers`: how many answers one takes. `probe_most_s`: a measurement
    ends after this time whatever was seen.
    """

    start: float = 100.0
    least: float = 10.0
    most: float = 10_000.0
    probe: float = 1.0
    tolerance: float = 2.0
    window: int = 20
    smoothing: float = 0.3
    probe_every_s: float = 60.0
    probe_answers: int = 5
    probe_most_s: float = 2.0

    def __post_init__(self) -> None:
        owner = "gradient limit"
        need_positive(owner, least=self.least, probe=self.probe, window=self.window)
        need_positive(owner, probe_every_s=self.probe_every_s, probe_answers=self.probe_answers)
        need_positive(owner, probe_most_s=self.probe_most_s)
        need_share(owner, smoothing=self.smoothing)
        need_order(owner, "1", 1.0, "tolerance", self.tolerance)
        need_order(owner, "least", self.least, "start", self.start)
        need_order(owner, "start", self.start, "most", self.most)


class GradientLimit(ConcurrencyLimit):
    """Learns from answers alone; requests that were given up count as answers that took as long as was waited."""

    __slots__ = (
        "_answers",
        "_baselines",
        "_decreases",
        "_ignored",
        "_increases",
        "_last_cost",
        "_limit",
        "_most_in_flight",
        "_probed",
        "_probed_at",
        "_probing_since",
        "_settings",
        "_time",
    )

    def __init__(self, settings: GradientSettings) -> None:
        self._settings = settings
        self._limit = settings.start
        self._baselines, self._last_cost = Baselines(), 1.0
        self._answers: list[tuple[float, float]] = []
        self._probed: list[tuple[float, float]] = []
        self._most_in_flight = 0.0
        self._increases = self._decreases = self._ignored = 0
        self._probing_since: float | None = None
        self._probed_at = -inf
        self._time = ForwardTime()

    @property
    @override
    def limit(self) -> float:
        """Between `least` and `most`, or `probe` while the baseline is measured."""
        return self._limit if self._probing_since is None else self._settings.probe

    @override
    def observe(self, now: float, done: Completion) -> float:
        """Change the limit after each `window` of answers; begin and end measurements of the baseline."""
        now = self._time.at(now)
        if not is_lesson(done):
            self._ignored += 1
            return self.limit
        self._last_cost = done.cost
        if self._probing_since is not None:
            self._probe(now, done)
        else:
            self._learn(now, done)
        return self.limit

    @override
    def state(self) -> LimitState:
        """The limit, the baseline of work as large as the last, and the changes."""
        return LimitState(
            limit=self.limit,
            baseline_s=self._baselines.of(self._last_cost),
            increases=self._increases,
            decreases=self._decreases,
            ignored=self._ignored,
            steps_back=self._time.steps_back,
        )

    def _learn(self, now: float, done: Completion) -> None:
        if self._probed_at == -inf:
            self._probed_at = now
        self._answers.append((done.cost, done.latency_s))
        self._most_in_flight = max(self._most_in_flight, done.in_flight)
        if len(self._answers) >= self._settings.window:
            self._change(self._baselines.learn(self._answers))
            self._answers, self._most_in_flight = [], 0.0
        if now - self._probed_at >= self._settings.probe_every_s:
            self._probing_since, self._probed = now, []

    def _change(self, slowdown: float) -> None:
        own, ratio = self._settings, min(1.0, self._settings.tolerance / slowdown)
        if ratio < 1.0:
            changed = self._limit * (1 - own.smoothing * (1 - max(LEAST_RATIO, ratio)))
            self._decreases += 1
        elif 2 * self._most_in_flight >= self._limit:
            changed = self._limit + sqrt(self._limit)
            self._increases += 1
        else:
            return
        self._limit = max(own.least, min(own.most, changed))

    def _probe(self, now: float, done: Completion) -> None:
        """Take the shortest answers to requests that began within the probe as the new baselines."""
        own, since = self._settings, self._probing_since
        if since is not None and done.outcome is Outcome.ANSWERED and now - done.latency_s >= since:
            self._probed.append((done.cost, done.latency_s))
        if len(self._probed) >= own.probe_answers or (since is not None and now - since >= own.probe_most_s):
            self._baselines.measured(self._probed)
            self._probing_since, self._probed_at = None, now
