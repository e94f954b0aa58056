"""How many candidates one request may score: a PID controller on p95 latency, queue delay and utilisation.

The controller keeps a pressure at 1. The pressure is the largest of the three measures over its own aim: p95 latency
over `p95_s`, delay in the queue over `queue_delay_s`, the busy share over `utilisation`. The controller works on the
logarithm of the depth, because work, and so the utilisation, is proportional to depth: then the same error asks for the
same percentage at any depth. It is written in the velocity form (each step adds a change to the depth), so a depth held
at a bound gathers no windup, and a start at any depth changes nothing until the pressure does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, inf, isfinite, log
from typing import NamedTuple

from pipeline.control.checks import need_at_least_0, need_order, need_positive
from pipeline.control.forward_time import ForwardTime
from pipeline.control.stability import is_stable, pid_loop
from schemas.errors import ConfigError
from schemas.traffic import TrafficClass

#: A step after a longer pause counts as so many periods: what was not measured is not made up for.
LONGEST_PERIODS = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthSettings:
    """Bounds, aims and gains of one traffic class; raises ConfigError for settings that cannot work or be stable.

    `floor`, `most`: candidates; fewer than the floor would cost recall. `p95_s`, `queue_delay_s`, `utilisation`: aims.
    `kp`, `ki` (a second), `kd` (seconds): gains on the error 1 - pressure, which is cut to -1..1. `period_s`: a step is
    made at most so often. `fall_per_s`, `rise_per_s`: the slew limit, as change of ln(depth) a second (0.7 halves or
    doubles it). `lag_periods`, `steepness`: for the check of stability, how many periods the measures take to show a
    change of depth, and by how many percent the pressure answers a change of one percent.
    """

    floor: int = 50
    most: int = 1000
    p95_s: float = 0.35
    queue_delay_s: float = 0.1
    utilisation: float = 0.9
    kp: float = 0.2
    ki: float = 0.3
    kd: float = 0.01
    period_s: float = 0.5
    fall_per_s: float = 1.5
    rise_per_s: float = 0.2
    lag_periods: int = 2
    steepness: float = 1.5

    def __post_init__(self) -> None:
        named = {
            name: getattr(self, name) for name in ("p95_s", "queue_delay_s", "utilisation", "ki", "period_s")
        }
        slews = {
            name: getattr(self, name) for name in ("fall_per_s", "rise_per_s", "steepness", "lag_periods")
        }
        need_positive("depth", floor=self.floor, **named, **slews)
        need_at_least_0("depth", kp=self.kp, kd=self.kd)
        need_order("depth", "floor", self.floor, "most", self.most)
        loop = pid_loop(
            self.kp, self.ki * self.period_s, self.kd / self.period_s, self.steepness, self.lag_periods
        )
        if not is_stable(loop):
            raise ConfigError(
                f"depth: kp {self.kp:g}, ki {self.ki:g} and kd {self.kd:g} with period_s {self.period_s:g}, lag_periods "
                f"{self.lag_periods} and steepness {self.steepness:g} cannot be stable: lower ki first, then kp and kd"
            )


class DepthSample(NamedTuple):
    """What was measured lately; None: not measured. Seconds, seconds, and the busy share of the servers (0 to 1)."""

    p95_s: float | None = None
    queue_delay_s: float | None = None
    utilisation: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthState:
    """A controller's state for metrics and reports. `pressure`: of the newest usable sample, None before the first.

    `ignored`: samples without a usable measure. `steps_back`: calls whose clock stood before an earlier one's.
    """

    depth: int
    pressure: float | None
    steps: int
    ignored: int
    steps_back: int


class DepthController:
    """The depth of one traffic class. Pure: `observe(now, sample)` with the clock of the caller, in O(1)."""

    __slots__ = (
        "_before",
        "_error",
        "_ignored",
        "_log",
        "_pressure",
        "_settings",
        "_stepped_at",
        "_steps",
        "_time",
    )

    def __init__(self, settings: DepthSettings, start: int | None = None) -> None:
        """`start`: the first depth, by default the most; ConfigError if it is out of the bounds."""
        depth = settings.most if start is None else start
        need_order("depth", "floor", settings.floor, "start", depth)
        need_order("depth", "start", depth, "most", settings.most)
        self._settings = settings
        self._log = log(depth)
        self._error = self._before = 0.0
        self._pressure: float | None = None
        self._stepped_at = -inf
        self._steps = self._ignored = 0
        self._time = ForwardTime()

    @property
    def depth(self) -> int:
        """How many candidates a request may score now."""
        return min(self._settings.most, max(self._settings.floor, round(exp(self._log))))

    def state(self) -> DepthState:
        """The state now."""
        return DepthState(
            depth=self.depth,
            pressure=self._pressure,
            steps=self._steps,
            ignored=self._ignored,
            steps_back=self._time.steps_back,
        )

    def observe(self, now: float, sample: DepthSample) -> int:
        """Take a sample into account and return the depth; a sample with an impossible measure is ignored and counted.

        The samples describe a recent window; between two steps, `period_s` apart, the newest one counts.
        """
        now = self._time.at(now)
        pressure = _pressure(sample, self._settings)
        if pressure is None:
            self._ignored += 1
            return self.depth
        self._pressure = pressure
        error = max(-1.0, 1.0 - pressure)
        if self._stepped_at == -inf:
            self._stepped_at, self._error, self._before = now, error, error
        elif now - self._stepped_at >= self._settings.period_s:
            self._step(error, min(now - self._stepped_at, LONGEST_PERIODS * self._settings.period_s))
            self._stepped_at = now
        return self.depth

    def _step(self, error: float, seconds: float) -> None:
        own = self._settings
        change = own.kp * (error - self._error) + own.ki * seconds * error
        change += own.kd / seconds * (error - 2 * self._error + self._before)
        change = max(-own.fall_per_s * seconds, min(own.rise_per_s * seconds, change))
        self._log = max(log(own.floor), min(log(own.most), self._log + change))
        self._error, self._before = error, self._error
        self._steps += 1


class Depths:
    """A controller for each traffic class that has settings; the depth of any other class is unbounded."""

    __slots__ = ("_of",)

    def __init__(self, settings: Mapping[TrafficClass, DepthSettings]) -> None:
        self._of = {traffic: DepthController(own) for traffic, own in settings.items()}

    def observe(self, now: float, traffic: TrafficClass, sample: DepthSample) -> int | None:
        """Take a sample of one class into account and return its depth."""
        own = self._of.get(traffic)
        return None if own is None else own.observe(now, sample)

    def depth(self, traffic: TrafficClass) -> int | None:
        """How many candidates a request of this class may score; None: any number."""
        own = self._of.get(traffic)
        return None if own is None else own.depth

    def states(self) -> dict[TrafficClass, DepthState]:
        """The state of each class that has settings."""
        return {traffic: own.state() for traffic, own in self._of.items()}


def _pressure(sample: DepthSample, aims: DepthSettings) -> float | None:
    """The largest measure over its aim; None when nothing was measured or a measure cannot be."""
    worst: float | None = None
    for measured, aim in (
        (sample.p95_s, aims.p95_s),
        (sample.queue_delay_s, aims.queue_delay_s),
        (sample.utilisation, aims.utilisation),
    ):
        if measured is None:
            continue
        if not (isfinite(measured) and measured >= 0):
            return None
        worst = measured / aim if worst is None else max(worst, measured / aim)
    return worst
