"""Open loop: requests arrive at random times, answered or not; finds the highest rate whose p95 keeps the bound."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.common.calling import Caller
from benchmarks.common.figures import percentile
from benchmarks.common.report import say
from benchmarks.engine.cases import Case
from benchmarks.engine.fleet import Fleet
from benchmarks.engine.processes import ContenderUnavailable
from benchmarks.engine.rates import arrivals, highest
from benchmarks.engine.servers import Server

BOUND_S = 0.5
DURATION_S, MOST_S = 8.0, 20.0
ENOUGH = 60
"""Least requests for a percentile of 95%, where `MOST_S` leaves time for them."""
BODIES = 64
STEPS = 4


def measure(fleet: Fleet, case: Case, scale: float) -> Iterator[dict[str, Any]]:
    """Yield results after each server: its highest rate, and all rates tried; `scale` shortens the probes."""
    servers: dict[str, Any] = {}
    for name in case.contenders:
        if name not in fleet.running:
            continue
        with fleet.turn(name) as one:
            if not isinstance(one, Server):
                raise ContenderUnavailable("it is not a server")
            bodies = [
                one.route.body(case.load.draw(f"{case.name} {n}", fleet.shape.vocab)[0])
                for n in range(BODIES)
            ]
            servers[name] = asyncio.run(_search(one, bodies, case, scale))
            say(f"{case.name}: {name} holds {servers[name]['rate']:.2f} requests/s")
        yield {"bound_s": BOUND_S, "items": case.load.items, "servers": servers}


async def _search(server: Server, bodies: Sequence[bytes], case: Case, scale: float) -> dict[str, Any]:
    tried: list[dict[str, float]] = []
    loop = asyncio.get_running_loop()

    def holds(rate: float) -> bool:
        future = asyncio.run_coroutine_threadsafe(_probe(server, bodies, rate, scale), loop)
        tried.append({"rate": rate, **future.result()})
        return tried[-1]["p95_s"] <= BOUND_S

    alone_s = await _alone(server, bodies)
    rate = 0.0
    if alone_s <= BOUND_S:
        rate = await asyncio.to_thread(highest, holds, 0.5 / alone_s, steps=STEPS)
    return {"alone_s": alone_s, "rate": rate, "items_s": rate * case.load.items, "tried": tried}


async def _alone(server: Server, bodies: Sequence[bytes]) -> float:
    """Seconds of the fastest of a few requests, sent one after the other."""
    async with Caller(server.port, server.route.path) as caller:
        return min([await _answered(caller, body, time.perf_counter()) for body in bodies[:5]])


async def _probe(server: Server, bodies: Sequence[bytes], rate: float, scale: float) -> dict[str, float]:
    """Percentiles of the latency at one rate, from each request's arrival; unanswered requests count as infinite."""
    duration_s = scale * min(MOST_S, max(DURATION_S, ENOUGH / rate))
    moments = arrivals(rate, duration_s, f"{rate}") or [0.0]
    async with Caller(server.port, server.route.path) as caller:
        start = time.perf_counter()
        calls = []
        for n, moment in enumerate(moments):
            await asyncio.sleep(start + moment - time.perf_counter())
            calls.append(asyncio.create_task(_answered(caller, bodies[n % len(bodies)], start + moment)))
        done, late = await asyncio.wait(calls, timeout=4 * BOUND_S)
        for call in late:
            call.cancel()
        await asyncio.gather(*late, return_exceptions=True)
    latencies = [call.result() for call in done] + [math.inf] * len(late)
    await _drained(server, bodies[0])
    return {
        "requests": len(moments),
        "p50_s": min(1e3, percentile(latencies, 0.5)),
        "p95_s": min(1e3, percentile(latencies, 0.95)),
    }


async def _answered(caller: Caller, body: bytes, since: float) -> float:
    """Seconds from `since` until the whole answer has arrived; infinite for a status other than 200."""
    try:
        status = await caller.post(body)
    except (OSError, EOFError):
        return math.inf
    return time.perf_counter() - since if status == 200 else math.inf


async def _drained(server: Server, body: bytes) -> None:
    """Wait until the server has worked off the requests that were given up."""
    async with Caller(server.port, server.route.path) as caller:
        for _ in range(60):
            if await _answered(caller, body, time.perf_counter()) < BOUND_S:
                return
            await asyncio.sleep(0.5)
