"""`python -m benchmarks.simulator.sensitivity`: what a 20 s trace says when the machine is a little faster or slower.

A fit gives one speed for all traces, and a machine changes its speed from one trace to the next. The traces have bursts
above the capacity, in which a small change of speed is a large one of the queue; and of some 400 requests, four are
above the 99th percentile. So this is how far single traces may differ from a simulation that is right on the whole.
"""

from collections.abc import Mapping
from dataclasses import replace
from statistics import median

from benchmarks.common.report import FOLDER, Row, table
from benchmarks.simulator.traffic import held_out_trace
from pipeline.simulation.outcomes import quantiles
from pipeline.simulation.run import Simulation
from pipeline.simulation.services import ServiceTimes, service
from pipeline.simulation.settings import SimulationSettings
from pipeline.simulation.traces import Request
from schemas.traffic import TrafficClass

CAPACITY_PER_S = 25.8
"""With which traces are as long as those of the report (373 to 431 requests)."""
TRACES, SEEDS, SECONDS = 4, 6, 20.0
SPEEDS = {"5% faster": 0.95, "5% slower": 1.05, "10% faster": 0.9}


def rows(times: ServiceTimes) -> list[Row]:
    """A row for each trace: the percentiles over the draws of the spread, and their change with the machine's speed."""
    found: list[Row] = []
    for n in range(TRACES):
        trace = held_out_trace(CAPACITY_PER_S, SECONDS, 1001 + n)
        usual = _percentiles(trace, times)
        row: dict[str, object] = {"trace": n + 1, "requests": len(trace)}
        for name in ("p50", "p99"):
            row[f"{name}, ms (least to most)"] = (
                f"{median(usual[name]):,.0f} ({min(usual[name]):,.0f} to {max(usual[name]):,.0f})"
            )
        for label, factor in SPEEDS.items():
            changed = _percentiles(trace, _slower(times, factor))
            for name in ("p50", "p99"):
                row[f"{name}, {label}"] = f"{median(changed[name]) / median(usual[name]) - 1:+.0%}"
        found.append(row)
    return found


def _percentiles(trace: list[Request], times: ServiceTimes) -> Mapping[str, list[float]]:
    """In milliseconds, for each of `SEEDS` draws of the spread."""
    found: dict[str, list[float]] = {"p50": [], "p99": []}
    for seed in range(SEEDS):
        results = Simulation(SimulationSettings(), [times], seed).run(trace)
        measured = quantiles(results.tallies[TrafficClass.ONLINE].latencies_s)
        for name, values in found.items():
            values.append(1000 * measured[name])
    return found


def _slower(times: ServiceTimes, factor: float) -> ServiceTimes:
    return replace(
        times,
        token_s=factor * times.token_s,
        pair_s=factor * times.pair_s,
        request_s=factor * times.request_s,
        answer_s=factor * times.answer_s,
    )


if __name__ == "__main__":
    print("\n".join(table(rows(service(FOLDER / "simulator.json")))))
