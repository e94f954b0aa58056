"""The mean wait at one server that computes one request at a time is what queueing theory says."""

import math
import random
from collections.abc import Callable
from statistics import mean

import pytest

from pipeline.simulation.arrivals import Steady, times
from pipeline.simulation.run import Simulation
from pipeline.simulation.services import ServiceTimes
from pipeline.simulation.traces import Request
from tests.pipeline.simulation.parts import ONLINE, bare

SERVICE_S, REQUESTS = 0.1, 15_000
#: Quantiles of the exponential distribution, which has the mean 1.
EXPONENTIAL = tuple(-math.log(1 - (n + 0.5) / 5_000) for n in range(5_000))


def mean_latency_s(load: float, spread: tuple[float, ...], seed: int) -> float:
    rate = load / SERVICE_S
    trace = [
        Request(at, ONLINE, n, range(1), 0, 100.0, 60.0)
        for n, at in enumerate(times(Steady(rate), REQUESTS / rate, random.Random(seed)))
    ]
    machine = ServiceTimes(name="x", token_s=SERVICE_S / 100, spread=spread)
    results = Simulation(bare(batch_jobs=1), [machine], seed).run(trace)
    return mean(results.tallies[ONLINE].latencies_s)


def m_m_1(load: float) -> float:
    return SERVICE_S / (1 - load)


def m_d_1(load: float) -> float:
    return SERVICE_S + SERVICE_S * load / (2 * (1 - load))


@pytest.mark.parametrize(
    ("load", "spread", "formula"),
    [(0.5, EXPONENTIAL, m_m_1), (0.5, (), m_d_1), (0.7, (), m_d_1)],
)
def test_the_mean_latency_is_the_formulas(
    load: float, spread: tuple[float, ...], formula: Callable[[float], float]
) -> None:
    assert mean_latency_s(load, spread, seed=1) == pytest.approx(formula(load), rel=0.05)
