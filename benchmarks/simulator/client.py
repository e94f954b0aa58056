"""An open-loop client: it sends each request of a trace at its time, whether or not earlier ones are answered."""

from __future__ import annotations

import asyncio
import math
import random
import threading
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import orjson
import psutil

from benchmarks.common.calling import Caller
from pipeline.simulation.traces import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUTE = "/v1/score"
LABELS = (10, 11)
SCRAPE_S = 0.5
LEAD_S = 0.2
"""Seconds between the start and the trace's second 0, in which the first connections are opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What one trace did to a real server: a latency a request, infinite if it was refused, and what the run took."""

    requests: Sequence[Request]
    latencies_s: Sequence[float]
    seconds: float
    """From the trace's second 0 to the last answer."""
    scrapes: Sequence[str]
    """The server's metrics, every SCRAPE_S seconds."""
    client_cpu_s: float
    loop_cpu_s: float
    server_cpu_s: float

    @property
    def answered(self) -> list[float]:
        """The latencies of answers."""
        return [one for one in self.latencies_s if one < math.inf]


def body(request: Request, rng: random.Random, vocab: int) -> bytes:
    """The JSON body of a request of random token ids with its lengths."""

    def ids(count: int) -> list[int]:
        return rng.choices(range(10, vocab), k=count)

    items = [ids(round(request.item_tokens)) for _ in request.candidates]
    asked = {
        "query": ids(request.prefix_tokens),
        "items": items,
        "label_token_ids": LABELS,
        "apply_softmax": True,
    }
    return orjson.dumps(asked)


def play(
    process: psutil.Process,
    port: int,
    requests: Sequence[Request],
    vocab: int,
    seed: int,
    *,
    closed: bool = False,
) -> Played:
    """Send a trace to the server and wait for all answers; `closed`: each request once the last one is answered."""
    rng = random.Random(f"{seed} bodies")
    bodies = [body(request, rng, vocab) for request in requests]
    cpu, own = _cpu_s(process), time.process_time()
    with _scraping(port) as scrapes:
        work = _one_by_one(port, bodies) if closed else _open_loop(port, requests, bodies)
        latencies_s, seconds = asyncio.run(work)
    after = _cpu_s(process)
    return Played(
        requests=requests,
        latencies_s=latencies_s,
        seconds=seconds,
        scrapes=scrapes,
        client_cpu_s=time.process_time() - own,
        loop_cpu_s=after[0] - cpu[0],
        server_cpu_s=after[1] - cpu[1],
    )


async def _open_loop(
    port: int, requests: Sequence[Request], bodies: Sequence[bytes]
) -> tuple[list[float], float]:
    async with Caller(port, ROUTE) as caller:
        start = time.perf_counter() + LEAD_S
        calls = []
        for request, one in zip(requests, bodies, strict=True):
            await asyncio.sleep(max(0.0, start + request.at - time.perf_counter()))
            calls.append(asyncio.create_task(_answered(caller, one, start + request.at)))
        return await asyncio.gather(*calls), time.perf_counter() - start


async def _one_by_one(port: int, bodies: Sequence[bytes]) -> tuple[list[float], float]:
    start = time.perf_counter()
    async with Caller(port, ROUTE) as caller:
        found = [await _answered(caller, one, time.perf_counter()) for one in bodies]
    return found, time.perf_counter() - start


async def _answered(caller: Caller, one: bytes, since: float) -> float:
    """Seconds from `since` until the whole answer is here; infinite for a status other than 200."""
    status = await caller.post(one)
    return time.perf_counter() - since if status == 200 else math.inf


@contextmanager
def _scraping(port: int) -> Iterator[list[str]]:
    """Fetch the server's metrics in a thread, at the beginning, every SCRAPE_S seconds and at the end."""
    found: list[str] = []
    over = threading.Event()

    def fetch() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            while not over.is_set():
                found.append(client.get("/metrics").text)
                over.wait(SCRAPE_S)
            found.append(client.get("/metrics").text)

    thread = threading.Thread(target=fetch)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def _cpu_s(process: psutil.Process) -> tuple[float, float]:
    """Processor time of the server's event loop, which is its first thread, and of the whole server."""
    loop = next(one for one in process.threads() if one.id == process.pid)
    whole = process.cpu_times()
    return loop.user_time + loop.system_time, whole.user + whole.system
