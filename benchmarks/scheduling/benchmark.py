"""`python -m benchmarks scheduling`: all policies and SGLang's on the same traces, under a virtual clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks.common import plots
from benchmarks.common.figures import percentile, spread
from benchmarks.common.report import FOLDER, Result, measured_on, say, write
from benchmarks.common.settings import SchedulingBenchmark
from benchmarks.scheduling.decisions import Costs, costs
from benchmarks.scheduling.replay import Queue, Run, Server, replay
from benchmarks.scheduling.sglang import SglangQueue
from benchmarks.scheduling.tables import Case, findings, tables
from benchmarks.scheduling.traces import LOADS, TRACES
from models.engine.scheduling.choosing import POLICIES, PolicyName
from models.engine.scheduling.waiting_queue import WaitingQueue
from schemas.errors import ConfigError

NAME = "scheduling"
SHAPE = "The shipped model's shape, 10 items of 220 tokens, 70 of them shared"
ITEM_TOKENS = 157
"""Tokens that were computed for an item there: 150 of its own and a tenth of 70."""
SGLANG = ("fcfs", "lpm", "hrrn")


def measure(settings: SchedulingBenchmark, folder: Path = FOLDER) -> Result:
    """Replay all traces through all queues, then time decisions; write the results into `folder`."""
    where = measured_on()
    speed = measured_speed(settings)
    cases = list(_cases(settings, speed))
    decided = dict(_decisions(settings, speed))
    for plot, title, key in _plots():
        plots.bars(folder / plot, title, "s", {case.name: _bars(case, key) for case in cases})
    result = Result(
        name=NAME,
        title="Which waiting request comes next",
        settings=asdict(settings) | {"tokens_per_s": speed},
        tables=tables(cases, decided),
        findings=findings(cases, decided, settings.shown),
        plots=[plot for plot, _, _ in _plots()],
        detail={"runs": {case.name: case.detail() for case in cases}},
    )
    write(result, folder, where)
    return result


def measured_speed(settings: SchedulingBenchmark, file: Path = FOLDER / "engine.json") -> float:
    """Return the engine's tokens a second as `docs/benchmarks/engine.json` has them; ConfigError if it lacks them."""
    rows = json.loads(file.read_text())["tables"].get(SHAPE, [])
    for row in rows:
        if (row["contender"], row["dtype"]) == ("ours", settings.dtype):
            return float(row["items/s"]) * ITEM_TOKENS
    raise ConfigError(
        f"{file.name} has no speed of ours in {settings.dtype} for {SHAPE!r}: give another --dtype"
    )


def _cases(settings: SchedulingBenchmark, speed: float) -> Iterator[Case]:
    for name, trace in TRACES.items():
        for cache_tokens in (0, settings.cache_tokens):
            server, runs = Server(speed, cache_tokens), dict[str, list[Run]]()
            for seed in settings.seeds:
                arrivals = trace(seed, settings.requests, LOADS[name] * speed)
                for queue_name, queue in _queues(cache_tokens):
                    runs.setdefault(queue_name, []).append(replay(arrivals, queue, server))
            yield Case(name, cache_tokens, runs)
            say(f"{name}, cache of {cache_tokens} tokens: {len(settings.seeds)} seeds")


def _queues(cache_tokens: int) -> Iterator[tuple[str, Queue]]:
    for name, new_policy in POLICIES.items():
        yield name, WaitingQueue(new_policy, cache_tokens)
    for theirs in SGLANG:
        yield f"SGLang's {theirs}", SglangQueue(theirs, cache_tokens)


def _decisions(settings: SchedulingBenchmark, speed: float) -> Iterator[tuple[tuple[str, str, int], Costs]]:
    for name, trace in TRACES.items():
        arrivals = trace(settings.seeds[0], settings.waiting + settings.decisions, speed)
        for cache_tokens in (0, settings.cache_tokens):
            for policy in PolicyName:
                key = (policy.value, name, cache_tokens)
                yield key, costs(POLICIES[policy], arrivals, settings.waiting, cache_tokens)
        say(f"{name}: decisions timed")


def _plots() -> list[tuple[str, str, float]]:
    return [
        ("scheduling.png", "Mean time to first token", -1.0),
        ("scheduling-p99.png", "99th percentile of the time to first token", 0.99),
    ]


def _bars(case: Case, share: float) -> dict[str, dict[str, float]]:
    def one(run: Run) -> float:
        return percentile(run.ttft_s, share) if share >= 0 else sum(run.ttft_s) / len(run.ttft_s)

    return {name: spread([one(run) for run in runs]) for name, runs in case.runs.items()}
