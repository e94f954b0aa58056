"""Settings and traffic of small simulations, for tests."""

from functools import partial

from models.engine.batcher import BatchConfig
from pipeline.control.depth import DepthSettings
from pipeline.control.gradient_limit import GradientLimit, GradientSettings
from pipeline.scoring.lifetimes import ScoreLifetimes
from pipeline.simulation.arrivals import Bursts, Steady
from pipeline.simulation.content import Content, made_up
from pipeline.simulation.report import Results
from pipeline.simulation.run import Simulation
from pipeline.simulation.services import ServiceTimes
from pipeline.simulation.settings import SimulationSettings
from pipeline.simulation.traces import Request
from schemas.traffic import TrafficClass

ONLINE, NEARLINE = TrafficClass.ONLINE, TrafficClass.NEARLINE
TIMES = ServiceTimes(name="made up", token_s=1e-5, batch_s=0.001, request_s=2e-4, answer_s=2e-4, way_s=1e-3)


def everything() -> SimulationSettings:
    """All of production's parts."""
    return SimulationSettings(
        cache=ScoreLifetimes(ttl_s=60.0, grace_s=5.0, rejected_s=30.0),
        page=10,
        depths={ONLINE: DepthSettings(floor=5, most=50), NEARLINE: DepthSettings(floor=5, most=50)},
        new_limit=partial(GradientLimit, GradientSettings()),
    )


def bare(batch_jobs: int = 64) -> SimulationSettings:
    """Servers alone."""
    return SimulationSettings(batching=BatchConfig(batch_tokens=8_192, batch_jobs=batch_jobs))


def traffic(seconds: float, seed: int = 1, *, rate: float = 30.0) -> list[Request]:
    """Online requests at one rate, nearline ones with bursts, 20 candidates each."""
    streams = {
        ONLINE: (Steady(rate), 0.5),
        NEARLINE: (Bursts(per_s=rate, factor=5.0, first_s=10.0, length_s=5.0, every_s=60.0), 60.0),
    }
    return list(made_up(streams, Content(items=20, queries=200), seconds, seed))


def run(settings: SimulationSettings, trace: list[Request], *, servers: int = 1, seed: int = 1) -> Results:
    """Run a trace on equal servers."""
    return Simulation(settings, [TIMES] * servers, seed).run(trace)
