"""Clients that always have a request under way: raw HTTP/1.1 over kept connections, so that they cost little."""

import asyncio
import multiprocessing
import random
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import orjson


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What every request asks: `items` prompts of `tokens`, the first `shared` of them the same."""

    items: int
    tokens: int
    shared: int
    vocab: int

    def body(self, rng: random.Random) -> bytes:
        """One request of random ids."""
        return orjson.dumps(
            {
                "query": self._ids(rng, self.shared),
                "items": [self._ids(rng, self.tokens - self.shared) for _ in range(self.items)],
                "label_token_ids": [10, 11],
                "apply_softmax": True,
            }
        )

    def _ids(self, rng: random.Random, count: int) -> list[int]:
        return [rng.randrange(self.vocab) for _ in range(count)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Closed-loop clients for `seconds`."""

    port: int
    seconds: float
    processes: int
    connections: int
    asked: Asked
    seed: int


def drive(load: Load) -> tuple[list[float], float]:
    """Milliseconds of each answer, and seconds until the last; raises RuntimeError for one that is not 200."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(load.processes, mp_context=context) as pool:
        shares = list(pool.map(_process, [load] * load.processes, range(load.processes)))
    return [ms for share, _ in shares for ms in share], max(seconds for _, seconds in shares)


def _process(load: Load, number: int) -> tuple[list[float], float]:
    rng = random.Random(f"{load.seed} {number}")
    requests = [_request(load.asked.body(rng)) for _ in range(32)]
    began = time.monotonic()
    times = asyncio.run(_all(load, requests))
    return times, time.monotonic() - began


def _request(body: bytes) -> bytes:
    head = f"POST /v1/score HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _all(load: Load, requests: list[bytes]) -> list[float]:
    end = time.monotonic() + load.seconds
    shares = await asyncio.gather(
        *(_connection(load.port, requests[n:] + requests[:n], end) for n in range(load.connections))
    )
    return [ms for share in shares for ms in share]


async def _connection(port: int, requests: list[bytes], end: float) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    times: list[float] = []
    while (began := time.monotonic()) < end:
        writer.write(requests[len(times) % len(requests)])
        await _answer(reader)
        times.append(1000 * (time.monotonic() - began))
    writer.close()
    return times


async def _answer(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    body = await reader.readexactly(length)
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"refused: {body[:300]!r}")
