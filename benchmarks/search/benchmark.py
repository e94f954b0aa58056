"""`python -m benchmarks search`: how long searches take, over HTTP, at a rate, with the shipped ranker."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

import psutil

from benchmarks.common.report import FOLDER, Result, Row, measured_on, say, write
from benchmarks.common.settings import SearchBenchmark
from benchmarks.percolation.workload import postings, searches
from benchmarks.search.arriving import Answered, arriving, percentiles_ms
from benchmarks.search.system import System, running

NAME = "search"
STEPS = ("understand", "embed", "retrieve", "score", "place", "show")
BOUND_MS, CACHED_MS = 500, 50
Bodies = Sequence[Mapping[str, Any]]


def measure(settings: SearchBenchmark, folder: Path = FOLDER) -> Result:
    """Build the index, send searches that are new, then the same again, then their next pages."""
    where, began = measured_on(), perf_counter()
    made = postings(settings.postings, settings.seed)
    say(f"{len(made)} postings written in {perf_counter() - began:.0f} s")
    with running(settings, made) as system:
        say(f"index: {1000 * sum(system.put_s):.0f} ms")
        _warm_up(system)
        phases = dict(_phases(system, settings))
        index = _index_row(system)
    new = phases["new queries"]
    result = Result(
        name=NAME,
        title="Online search: latency",
        settings=asdict(settings),
        tables={
            "Searches over HTTP, from the time they were due": [
                _row(name, one) for name, one in phases.items()
            ],
            "Steps of new queries": [_step(step, new) for step in STEPS],
            "The index": [index],
        },
        findings=_findings(phases),
    )
    write(result, folder, where)
    return result


def _phases(system: System, settings: SearchBenchmark) -> Iterator[tuple[str, list[Answered]]]:
    count = max(1, round(settings.rate_per_s * settings.seconds))
    bodies = [{"query": one.query} for one in searches(count, settings.seed + 1)]
    new = _phase(system, "new queries", bodies, settings)
    yield "new queries", new
    yield "the same again", _phase(system, "the same again", bodies, settings)
    pages = [
        {**body, "cursor": one.body["cursor"]}
        for body, one in zip(bodies, new, strict=True)
        if one.body.get("cursor")
    ]
    if pages:
        yield "their second pages", _phase(system, "their second pages", pages, settings)


def _phase(system: System, name: str, bodies: Bodies, settings: SearchBenchmark) -> list[Answered]:
    found = arriving(system.url, bodies, settings.rate_per_s, settings.seed)
    say(f"{name}: {_row(name, found)}")
    return found


def _warm_up(system: System) -> None:
    arriving(system.url, [{"query": query} for query in ("night nurse", "driver near Leeds", "cook")], 2.0, 0)


def _row(name: str, found: Sequence[Answered]) -> Row:
    whole = [one for one in found if one.status == 200 and not one.body["missing"]]
    return {
        "searches": name,
        "sent": len(found),
        **percentiles_ms([one.took_s for one in found]),
        "answered whole": len(whole),
        "depth, least": min((one.body["depth"] for one in whole), default=0),
        "ranked, mean": sum(one.body["total"] for one in whole) / max(1, len(whole)),
    }


def _step(step: str, found: Sequence[Answered]) -> Row:
    took = [one.body["took_ms"][step] / 1000 for one in found if step in one.body.get("took_ms", {})]
    return {"step": step, **percentiles_ms(took)}


def _index_row(system: System) -> Row:
    return {
        "postings": len(system.index),
        "with a vector": sum(system.index.vectors().values()),
        **{f"put, {name}": one for name, one in percentiles_ms(system.put_s).items()},
        "process MiB": psutil.Process().memory_info().rss / 2**20,
    }


def _findings(phases: Mapping[str, Sequence[Answered]]) -> list[str]:
    rows = {name: _row(name, found) for name, found in phases.items()}
    new, again = rows["new queries"], rows["the same again"]
    return [
        f"New queries: p95 {new['p95 ms']:.0f} ms, to be reached: {BOUND_MS} ms",
        f"The same from the score cache: p95 {again['p95 ms']:.0f} ms, to be reached: {CACHED_MS} ms",
    ]
