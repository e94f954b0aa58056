"""Open loop: requests arrive when they arrive; the highest rate at which 95% are answered within the bound."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.common.figures import percentile
from benchmarks.common.report import say
from benchmarks.engine.calling import Caller
from benchmarks.engine.cases import Case
from benchmarks.engine.fleet import Fleet
from benchmarks.engine.processes import Unavailable
from benchmarks.engine.rates import arrivals, highest
from benchmarks.engine.servers import Server

BOUND_S = 0.5
DURATION_S, MOST_S = 8.0, 20.0
ENOUGH = 60
"""Requests that a share of 95% should be seen on, where `MOST_S` allows it."""
BODIES = 64
STEPS = 4


def measure(fleet: Fleet, case: Case, scale: float) -> Iterator[dict[str, Any]]:
    """What the JSON keeps, after each server: the rate that held and every rate tried; `scale` shortens the probes."""
    servers: dict[str, Any] = {}
    for name in case.contenders:
        if name not in fleet.running:
            continue
        with fleet.turn(name) as one:
            if not isinstance(one, Server):
                raise Unavailable("it is no server")
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
    """The quickest of a few requests, one after the other."""
    async with Caller(server.port, server.route.path) as caller:
        return min([await _answered(caller, body, time.perf_counter()) for body in bodies[:5]])


async def _probe(server: Server, bodies: Sequence[bytes], rate: float, scale: float) -> dict[str, float]:
    """Latencies from the moment of arrival, whatever was late before; what is not answered counts as endless."""
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
    """Seconds until the whole answer is here; endless unless its status is 200."""
    try:
        status = await caller.post(body)
    except (OSError, EOFError):
        return math.inf
    return time.perf_counter() - since if status == 200 else math.inf


async def _drained(server: Server, body: bytes) -> None:
    """Wait until what was given up is out of the server's way."""
    async with Caller(server.port, server.route.path) as caller:
        for _ in range(60):
            if await _answered(caller, body, time.perf_counter()) < BOUND_S:
                return
            await asyncio.sleep(0.5)
