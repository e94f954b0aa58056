import random

import pytest

from benchmarks.simulator.client import Played, body
from benchmarks.simulator.comparing import Pair, findings, simulated
from benchmarks.simulator.fitting import fit, pairs, tokens, windows
from benchmarks.simulator.speed import Speed, speed
from benchmarks.simulator.traffic import alone_trace, fitting_trace, held_out_trace
from pipeline.simulation.run import Simulation
from pipeline.simulation.services import ServiceTimes
from pipeline.simulation.settings import SimulationSettings
from pipeline.simulation.traces import Request
from tests.pipeline.simulation.parts import ONLINE

TRUE = ServiceTimes(
    name="true",
    token_s=2e-5,
    pair_s=1e-8,
    item_s=2e-4,
    batch_s=3e-3,
    request_s=5e-4,
    answer_s=5e-4,
    way_s=1e-3,
)


def page(batches: int, jobs: int, work: int, engine_s: float) -> str:
    labels = '{task="score"}'
    return (
        f"nearline_model_engine_seconds_count{labels} {batches}\nnearline_model_engine_seconds_sum{labels} {engine_s}\n"
        f"nearline_model_batch_jobs_sum{labels} {jobs}\nnearline_model_batch_tokens_sum{labels} {work}\n"
    )


def scrapes(seed: int, trace: list[Request]) -> list[str]:
    """The metrics of an engine that takes exactly what TRUE says, with as many items and pairs a token as a trace."""
    token_s = sum(map(work_s, trace)) / sum(map(tokens, trace))
    rng, batches, jobs, work = random.Random(seed), 0, 0, 0
    pages = [page(0, 0, 0, 0.0)]
    for _ in range(40):
        for _ in range(rng.randrange(1, 6)):
            more = rng.randrange(1, 9)
            batches, jobs, work = batches + 1, jobs + more, work + more * rng.randrange(100, 900)
        took_s = TRUE.batch_s * batches + token_s * work
        pages.append(page(batches, jobs, work, took_s))
    return pages


def work_s(request: Request) -> float:
    return (
        TRUE.token_s * tokens(request) + TRUE.item_s * len(request.candidates) + TRUE.pair_s * pairs(request)
    )


def alone() -> Played:
    trace = alone_trace(30, 1)
    way_s = TRUE.request_s + TRUE.answer_s + TRUE.way_s + TRUE.batch_s
    latencies = [way_s + work_s(one) for one in trace]
    return played(trace, latencies, [])


def played(trace: list[Request], latencies: list[float], pages: list[str]) -> Played:
    return Played(
        requests=trace,
        latencies_s=latencies,
        seconds=max((one.at for one in trace), default=0.0) + 1.0,
        scrapes=pages,
        client_cpu_s=0.1,
        loop_cpu_s=1e-3 * len(trace),
        server_cpu_s=1.0,
    )


def test_the_times_of_an_exact_engine_are_found() -> None:
    trace = fitting_trace(20.0, 20.0, 1)
    loads = [played(trace, [0.1] * len(trace), scrapes(seed, trace)) for seed in (1, 2)]
    found = fit("fitted", alone(), loads)
    for name in ("token_s", "item_s", "pair_s", "batch_s", "request_s", "answer_s", "way_s"):
        assert getattr(found, name) == pytest.approx(getattr(TRUE, name), rel=0.02), name
    assert found.spread == pytest.approx([1.0] * 30)


def test_windows_without_a_batch_are_left_out() -> None:
    pages = [page(0, 0, 0, 0.0), page(1, 2, 300, 0.1), page(1, 2, 300, 0.1)]
    assert len(list(windows(pages))) == 1


def test_a_simulated_trace_is_compared_with_what_was_played() -> None:
    trace = held_out_trace(20.0, 45.0, 3)
    real = Simulation(SimulationSettings(), [TRUE], 1).run(trace)
    pair = simulated(played(trace, list(real.tallies[ONLINE].latencies_s), []), TRUE, 1)
    assert pair.errors()["p99"] == pytest.approx(0.0, abs=1e-9)
    assert Pair.pooled([pair, pair]).asked == 2 * len(trace)
    said = findings([pair, pair], pair, Speed(requests=1, cpu_s=1.0, hit_rate=0.5, utilisation=0.5))
    assert said[0].startswith("2 traces that it was not fitted on, together: throughput ")
    assert said[1].endswith("p99 +0.0% to +0.0%")


def test_held_out_traces_are_not_those_that_were_fitted_on() -> None:
    fitted, held_out = fitting_trace(20.0, 45.0, 1), held_out_trace(20.0, 45.0, 1)
    assert len(held_out) > 100
    assert not {one.at for one in fitted} & {one.at for one in held_out}


def test_a_body_has_the_lengths_of_its_request() -> None:
    request = alone_trace(1, 1)[0]
    made = body(request, random.Random(1), 1000)
    assert made.count(b",") >= tokens(request) - 1


def test_the_speed_is_measured_on_a_run_with_hits_and_busy_servers() -> None:
    found = speed(4_000)
    assert found.requests == pytest.approx(4_000, rel=0.2)
    assert 0 < found.utilisation < 1
    assert found.hit_rate > 0
