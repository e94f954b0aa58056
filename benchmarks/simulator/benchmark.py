"""`python -m benchmarks simulator`: real runs of our model server beside simulated ones, on held-out traces."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean

import psutil

from benchmarks.common import plots
from benchmarks.common.report import FOLDER, Result, measured_on, say, write
from benchmarks.common.served import ROOT, served
from benchmarks.common.settings import SimulatorBenchmark
from benchmarks.simulator.client import Played, play
from benchmarks.simulator.comparing import Pair, findings, simulated, tables
from benchmarks.simulator.fitting import fit
from benchmarks.simulator.speed import speed
from benchmarks.simulator.traffic import alone_trace, fitting_trace, held_out_trace
from pipeline.simulation.services import ServiceTimes
from pipeline.simulation.traces import Request

NAME = "simulator"
PLOT = "simulator.png"
WARM_UP = 10
"""Requests before anything is measured."""


def measure(settings: SimulatorBenchmark, folder: Path = FOLDER) -> Result:
    """Fit the simulator on some traces of a real server, compare both on others, and write the results."""
    where = measured_on()
    quick = speed(settings.requests)
    say(f"{quick.requests} requests simulated in {quick.cpu_s:.1f} s of processor time")
    with served(ROOT / settings.ranker, settings.threads) as (process, port):
        fitted, pairs = _compared(settings, process, port)
    pooled = Pair.pooled(pairs)
    plots.lines(
        folder / PLOT,
        "Latencies of the held-out traces",
        "share of the requests",
        "answered within, s",
        {"real": pooled.curve(pooled.real_s), "simulated": pooled.curve(pooled.simulated_s)},
    )
    result = Result(
        name=NAME,
        title="The simulator beside a real server",
        settings=asdict(settings),
        tables=tables(pairs, pooled, fitted, quick),
        findings=findings(pairs, pooled, quick),
        plots=[PLOT],
        detail={"service": fitted.as_dict()},
    )
    write(result, folder, where)
    return result


def _compared(
    settings: SimulatorBenchmark, process: psutil.Process, port: int
) -> tuple[ServiceTimes, Sequence[Pair]]:
    """Play traces to fit on and held-out ones in turns, so that both meet the same states of the machine."""
    vocab = json.loads((ROOT / settings.ranker / "config.json").read_text())["vocab_size"]

    def played(requests: Sequence[Request], seed: int, *, closed: bool = False) -> Played:
        return play(process, port, requests, vocab, settings.seed + seed, closed=closed)

    played(alone_trace(WARM_UP, 1), 1, closed=True)
    alone = played(alone_trace(settings.alone, 2), 2, closed=True)
    capacity = 1 / mean(alone.answered)
    say(f"one by one {capacity:.1f} requests/s")
    fits, held_out = [], []
    for n in range(settings.rounds):
        fits.append(played(fitting_trace(capacity, settings.fit_seconds, settings.seed + n), 100 + n))
        trace = held_out_trace(capacity, settings.seconds, settings.seed + 1000 + n)
        held_out.append(played(trace, 200 + n))
        say(f"round {n + 1}: {len(held_out[-1].answered)} of {len(trace)} answered")
    fits.append(played(fitting_trace(capacity, settings.fit_seconds, settings.seed - 1), 300))
    fitted = fit(f"{Path(settings.ranker).name}, {settings.threads} threads", alone, fits)
    return fitted, [simulated(one, fitted, settings.seed) for one in held_out]
