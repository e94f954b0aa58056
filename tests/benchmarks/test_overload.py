"""The overload benchmark's pieces: traces, servers, and that ours keeps its bounds where others do not."""

import json
from math import inf
from pathlib import Path
from random import Random

import pytest

from benchmarks.common.report import FOLDER
from benchmarks.overload.contenders import CONTENDERS, OURS
from benchmarks.overload.controls import Blind, CoDel, NoControl, Queued
from benchmarks.overload.requests import BOUND_S, BURSTS, Burst, Request, bursts, mixed
from benchmarks.overload.run import Outcome, run
from benchmarks.overload.servers import Speed, measured
from pipeline.control.concurrency_limit import FixedLimit
from schemas.traffic import TrafficClass

SPEED = Speed(rounds_s=(0.05,), items=10, item_tokens=220, shared_tokens=70)
WORKERS = 10
CAPACITY = WORKERS * SPEED.items_per_s
SHORT = (Burst(at=10.0, seconds=10.0, online=1.2, nearline=1.0),)


def course(name: str) -> Outcome:
    (found,) = [one for one in CONTENDERS if one.name == name]
    trace = bursts(CAPACITY, 7, SHORT, seconds=60.0)
    return run(trace, found.make(found.choices[-1]), SPEED, WORKERS, 7)


def test_a_trace_offers_what_it_says() -> None:
    trace = bursts(CAPACITY, 3)
    for burst in BURSTS:
        inside = [one for one in trace.requests if burst.at <= one.at < burst.at + burst.seconds]
        offered = sum(one.wanted for one in inside) / (burst.seconds * CAPACITY)
        assert offered == pytest.approx(burst.online + burst.nearline, rel=0.25)
    assert sum(one.wanted for one in mixed(CAPACITY, 0.5, 5.0, 1).requests) / (
        200 * CAPACITY
    ) == pytest.approx(0.5, rel=0.15)


def test_ours_keeps_the_bound_loses_no_alert_and_gives_the_depth_back() -> None:
    ours, none = course(OURS), course("no control")
    assert ours.worst_p95_s() <= BOUND_S < none.worst_p95_s()
    assert (ours.lost(), none.lost()) == (0, 0)
    assert ours.goodput() > 0.9 > none.goodput()
    assert ours.depth_back_s() < 40.0
    assert ours.shed() < 0.1


@pytest.mark.parametrize(
    "control",
    [NoControl(), Blind(FixedLimit(300.0)), Queued(FixedLimit(300.0)), CoDel(FixedLimit(300.0), 0.05, 0.3)],
)
def test_every_alert_is_done_and_every_online_request_answered_or_shed(control: NoControl) -> None:
    found = run(bursts(CAPACITY, 5, SHORT, seconds=40.0), control, SPEED, WORKERS, 5)
    assert found.lost() == 0
    assert all(one.shed != (one.done_at < inf) for one in found.online())
    assert sum(one.candidates for one in found.trace.requests if one.done_at < inf) > 0


def test_a_request_takes_as_long_as_its_jobs() -> None:
    one = Request(1.0, TrafficClass.ONLINE, 105)
    trace = bursts(CAPACITY, 1, SHORT, seconds=1.0)
    run(type(trace)(requests=[one], seconds=2.0), NoControl(), SPEED, WORKERS, 1)
    assert one.latency_s == pytest.approx(0.05 + SPEED.job_s(5, Random(1)), abs=1e-6)


def test_the_speed_is_that_of_the_measured_server() -> None:
    speed = measured(FOLDER)
    rounds = json.loads((Path(FOLDER) / "model-server.json").read_text())["tables"]["Rounds"]
    assert len(speed.rounds_s) == len(rounds) > 0
    assert speed.job_s(10, Random(1)) in speed.rounds_s
