from dataclasses import replace

import pytest

from pipeline.control.depth import DepthSettings
from pipeline.scoring.lifetimes import ScoreLifetimes
from pipeline.simulation.report import figures
from pipeline.simulation.run import Simulation
from pipeline.simulation.services import ServiceTimes
from pipeline.simulation.settings import SimulationSettings
from pipeline.simulation.traces import Request
from schemas.errors import ConfigError
from tests.pipeline.simulation.parts import NEARLINE, ONLINE, TIMES, bare, everything, run, traffic

CACHED = SimulationSettings(cache=ScoreLifetimes(), page=10)


def asked(at: float, query: int = 1, items: int = 20, first: int = 0) -> Request:
    return Request(at, ONLINE, query, range(first, first + items), 70, 100.0, 5.0)


def test_the_same_seed_gives_the_same_run_and_another_one_another() -> None:
    trace = traffic(60.0)
    spread = [replace(TIMES, spread=(0.5, 1.0, 1.5))]
    runs = [figures(Simulation(everything(), spread, seed).run(trace)) for seed in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


@pytest.mark.parametrize("rate", [10.0, 60.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_request_ends_exactly_once_and_every_candidate_has_one_fate(rate: float, seed: int) -> None:
    trace = traffic(60.0, seed, rate=rate)
    tallies = run(everything(), trace, seed=seed).tallies
    assert sum(tally.arrived for tally in tallies.values()) == len(trace)
    for tally in tallies.values():
        assert tally.ended == tally.arrived
        assert len(tally.latencies_s) == tally.answered + tally.late
    offered = sum(tally.asked_items - tally.cut_items for tally in tallies.values())
    known = sum(t.cached_items + t.joined_items + t.scored_items + t.refused_items for t in tallies.values())
    shed = sum(tally.shed for tally in tallies.values())
    assert known <= offered if shed else known == offered


def test_nearline_requests_are_deferred_and_none_is_shed() -> None:
    tally = run(everything(), traffic(60.0, rate=60.0)).tallies[NEARLINE]
    assert tally.deferred > 0
    assert tally.shed == tally.failed == 0
    assert tally.answered + tally.late == tally.arrived


def test_a_second_request_for_the_same_is_answered_from_the_cache_at_once() -> None:
    tally = run(CACHED, [asked(0.0), asked(10.0)]).tallies[ONLINE]
    assert (tally.scored_items, tally.cached_items) == (20, 20)
    assert list(tally.latencies_s)[1] == 0.0


def test_requests_at_the_same_time_share_one_flight() -> None:
    tally = run(CACHED, [asked(0.0)] * 1000).tallies[ONLINE]
    assert (tally.scored_items, tally.joined_items) == (20, 20 * 999)
    assert tally.answered == 1000


def test_a_computation_that_outlasts_the_lease_is_not_begun_a_second_time() -> None:
    slow = ServiceTimes(name="slow", token_s=1e-5, batch_s=100.0)
    trace = [asked(at)._replace(deadline_s=300.0) for at in (0.0, 31.0, 65.0)]
    tally = Simulation(CACHED, [slow], 1).run(trace).tallies[ONLINE]
    assert (tally.scored_items, tally.joined_items, tally.answered) == (20, 40, 3)


def test_a_score_is_computed_again_after_its_time() -> None:
    tally = run(CACHED, [asked(0.0), asked(2_000.0)]).tallies[ONLINE]
    assert tally.scored_items == 40


def test_pages_that_overlap_are_looked_up_apart() -> None:
    tally = run(CACHED, [asked(0.0, items=10), asked(10.0, items=20)]).tallies[ONLINE]
    assert (tally.scored_items, tally.cached_items) == (20, 10)


def test_depth_cuts_the_last_candidates_and_counts_them() -> None:
    depths = {ONLINE: DepthSettings(floor=3, most=7)}
    tally = run(SimulationSettings(depths=depths), [asked(0.0)]).tallies[ONLINE]
    assert (tally.asked_items, tally.cut_items, tally.scored_items) == (20, 13, 7)


def test_depth_falls_while_the_server_is_overloaded_and_comes_back() -> None:
    overload = [asked(n * 0.01, query=n) for n in range(6_000)] + [
        asked(120.0 + n, query=-n) for n in range(60)
    ]
    depths = {ONLINE: DepthSettings(floor=2, most=20)}
    results = run(SimulationSettings(depths=depths), overload)
    depth = results.series.lines(results.seconds)["depth online"]
    assert min(depth[5:60]) <= 10
    assert depth[-1] == 20


def test_nearline_work_alone_that_fills_the_server_leaves_the_online_depth_whole() -> None:
    """As in production, where the utilisation of a class is its own and that of higher ones: alerts yield."""
    seconds = [n * 0.0222 for n in range(1_000)]
    alerts = [asked(at, query=n)._replace(traffic=NEARLINE, deadline_s=60.0) for n, at in enumerate(seconds)]
    people = [asked(at + 0.01, query=-n, items=20) for n, at in enumerate(seconds) if n % 100 == 0]
    trace = sorted(alerts + people, key=lambda one: one.at)
    depths = {ONLINE: DepthSettings(floor=2, most=20, p95_s=5.0, queue_delay_s=5.0)}
    results = run(SimulationSettings(depths=depths), trace)
    assert results.servers[0].busy_s > 0.95 * results.seconds
    assert min(results.series.lines(results.seconds)["depth online"]) == 20


def test_without_cache_and_controls_everything_is_scored() -> None:
    trace = traffic(30.0)
    found = figures(run(bare(), trace))["classes"]["all"]
    assert found["scored_items"] == found["asked_items"] == 20 * len(trace)
    assert found["answered"] + found["late"] == len(trace)


def test_two_servers_halve_the_work_of_each() -> None:
    trace = [asked(n * 0.01, query=n) for n in range(500)]
    one, two = (figures(run(bare(), trace, servers=n))["servers"] for n in (1, 2))
    assert one[0]["tokens"] == two[0]["tokens"] + two[1]["tokens"]
    assert two[0]["tokens"] == pytest.approx(two[1]["tokens"], rel=0.4)


def test_progress_is_told() -> None:
    told: list[int] = []
    trace = [asked(n * 0.01, items=1) for n in range(4_500)]
    Simulation(CACHED, [TIMES], 1).run(trace, told.append)
    assert told == [2_000, 4_000, 4_500]


def test_a_trace_out_of_order_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot go to"):
        run(bare(), [asked(2.0), asked(1.0)])


def test_no_server_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one server"):
        Simulation(bare(), [], 1)
