"""Requests of the overload benchmark, and the traces that they come in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, pi, sin
from random import Random

from pipeline.control.work import Work
from schemas.traffic import TrafficClass

BOUND_S = 0.5
"""An online request wants its answer within this time."""
DEADLINE_S = 0.45
"""The deadline that it gives: the time that an answer takes is expected, not known."""
WANTED, ALERT, RENEWED = 250, 20, 10
"""Candidates of an online request, of an alert's score request and of a refresh, without any control."""


class Request:
    """One request and what became of it. `candidates`: how many it scores, `done_at`: inf until it is answered."""

    __slots__ = (
        "at", "began_at", "candidates", "done_at", "is_online", "jobs_left", "shed", "traffic", "wanted", "work",
    )  # fmt: skip

    def __init__(self, at: float, traffic: TrafficClass, wanted: int) -> None:
        self.at, self.traffic, self.wanted, self.candidates = at, traffic, wanted, wanted
        self.is_online = traffic is TrafficClass.ONLINE
        self.began_at, self.done_at, self.jobs_left, self.shed = inf, inf, 0, False
        self.work: Work[Request] | None = None

    @property
    def deadline(self) -> float:
        """By when it has to be answered; alerts and refreshes have no end."""
        return self.at + DEADLINE_S if self.is_online else inf

    @property
    def latency_s(self) -> float:
        """From its arrival to its answer."""
        return self.done_at - self.at


Rate = Callable[[float], float]
"""Requests a second at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Requests in the order of their arrival. `bursts`: from when to when more came than the servers can do."""

    requests: Sequence[Request]
    seconds: float
    bursts: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """A burst of `seconds` in which online and nearline work together are so many times what the servers can do."""

    at: float
    seconds: float
    online: float
    nearline: float


BURSTS = (
    Burst(at=60.0, seconds=30.0, online=0.9, nearline=1.1),
    Burst(at=180.0, seconds=10.0, online=1.5, nearline=1.5),
)
"""Twice what the servers can do for 30 s, three times for 10 s."""
TUNING_BURSTS = (
    Burst(at=60.0, seconds=20.0, online=1.2, nearline=0.6),
    Burst(at=180.0, seconds=15.0, online=1.0, nearline=1.6),
)
"""Other bursts, by which settings are chosen."""
BASE_ONLINE, BASE_NEARLINE = 0.4, 0.1


def bursts(items_per_s: float, seed: int, kind: Sequence[Burst] = BURSTS, seconds: float = 300.0) -> Trace:
    """Half of the servers' capacity, and bursts above it."""

    def shares(t: float) -> tuple[float, float]:
        for burst in kind:
            if burst.at <= t < burst.at + burst.seconds:
                return burst.online, burst.nearline
        return BASE_ONLINE, BASE_NEARLINE

    rng = Random(seed)
    online = _arrivals(lambda t: shares(t)[0] * items_per_s / WANTED, seconds, rng)
    alerts = _arrivals(lambda t: shares(t)[1] * items_per_s / ALERT, seconds, rng)
    found = [Request(t, TrafficClass.ONLINE, WANTED) for t in online]
    found += [Request(t, TrafficClass.NEARLINE, ALERT) for t in alerts]
    ends = [(burst.at, burst.at + burst.seconds) for burst in kind]
    return Trace(requests=sorted(found, key=lambda one: one.at), seconds=seconds, bursts=ends)


EVERY_S = 20.0
"""Alerts of mixed traffic come together at the beginning of each 20 s."""


def mixed(items_per_s: float, load: float, on_s: float, seed: int, seconds: float = 200.0) -> Trace:
    """A share `load` of the capacity: 70% online, the rest alerts, which come in `on_s` of every 20 s."""
    rng, depth, part = Random(seed), 130, 0.3 * load * items_per_s * EVERY_S / on_s / ALERT
    online = _arrivals(lambda _: 0.7 * load * items_per_s / depth, seconds, rng)
    alerts = _arrivals(lambda t: part if t % EVERY_S < on_s else 1e-9, seconds, rng)
    found = [Request(t, TrafficClass.ONLINE, depth) for t in online]
    found += [Request(t, TrafficClass.NEARLINE, ALERT) for t in alerts]
    return Trace(requests=sorted(found, key=lambda one: one.at), seconds=seconds)


def a_day(items_per_s: float, seed: int, seconds: float = 900.0, peak_depth: float = 131.0) -> Trace:
    """Online requests by a day in small: at its peak so many that at 90% of the capacity each has 131 candidates."""
    peak, low = 0.9 * items_per_s / peak_depth, 0.4 * items_per_s / WANTED
    rate: Rate = lambda t: low + (peak - low) * max(0.0, sin(pi * t / seconds)) ** 2  # noqa: E731
    found = [Request(t, TrafficClass.ONLINE, WANTED) for t in _arrivals(rate, seconds, Random(seed))]
    return Trace(requests=found, seconds=seconds, bursts=[(seconds * 0.4, seconds * 0.6)])


def _arrivals(rate: Rate, seconds: float, rng: Random) -> list[float]:
    """A Poisson process whose rate changes, in steps of a tenth of a second."""
    found, step_s, t, left = list[float](), 0.1, 0.0, rng.expovariate(1.0)
    while t < seconds:
        expected, begin = rate(t) * step_s, 0.0
        while left < expected - begin:
            begin += left
            found.append(t + step_s * begin / expected)
            left = rng.expovariate(1.0)
        left -= expected - begin
        t += step_s
    return found
