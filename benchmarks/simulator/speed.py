"""How fast the simulator itself is, with every part turned on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

from pipeline.control.depth import DepthSettings
from pipeline.control.gradient_limit import GradientLimit, GradientSettings
from pipeline.scoring.lifetimes import ScoreLifetimes
from pipeline.simulation.arrivals import Bursts, Rate, Steady
from pipeline.simulation.content import Content, made_up
from pipeline.simulation.run import Simulation
from pipeline.simulation.services import ServiceTimes
from pipeline.simulation.settings import SimulationSettings
from schemas.traffic import TrafficClass

SERVERS, RATE = 4, 500.0
TIMES = ServiceTimes(name="made up", token_s=4e-6, batch_s=0.001, request_s=1e-4, answer_s=1e-4)
"""Four of them are about half busy at twice RATE, three quarters of which the cache answers."""
PAGE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Requests that were simulated, and the processor time that it took."""

    requests: int
    cpu_s: float
    hit_rate: float
    utilisation: float


def speed(requests: int) -> Speed:
    """Simulate about so many requests: online steady, nearline with bursts, cache, depth, admission, scheduling."""
    settings = SimulationSettings(
        cache=ScoreLifetimes(),
        page=PAGE,
        depths={TrafficClass.ONLINE: DepthSettings(), TrafficClass.NEARLINE: DepthSettings()},
        new_limit=partial(GradientLimit, GradientSettings()),
    )
    streams: dict[TrafficClass, tuple[Rate, float]] = {
        TrafficClass.ONLINE: (Steady(RATE), 0.5),
        TrafficClass.NEARLINE: (Bursts(per_s=RATE), 60.0),
    }
    began = time.process_time()
    trace = made_up(streams, Content(items=PAGE), requests / (2 * RATE), seed=1)
    results = Simulation(settings, [TIMES] * SERVERS, 1).run(trace)
    tallies = results.tallies.values()
    return Speed(
        requests=sum(tally.arrived for tally in tallies),
        cpu_s=time.process_time() - began,
        hit_rate=sum(tally.cached_items for tally in tallies) / sum(tally.asked_items for tally in tallies),
        utilisation=sum(one.busy_s for one in results.servers) / SERVERS / results.seconds,
    )
