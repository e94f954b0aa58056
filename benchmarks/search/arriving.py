"""Send searches at random times, whether or not earlier ones have been answered, and time each from its due time."""

import random
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx

#: More than ever wait at once, so that no search waits for a thread of the sender.
SENDERS = 64
PERCENTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One search: its status, the answer, and the seconds since it was due."""

    status: int
    body: Mapping[str, Any]
    took_s: float


def arriving(url: str, bodies: Sequence[Mapping[str, Any]], rate_per_s: float, seed: int) -> list[Answered]:
    """Send each body once, on average `rate_per_s` of them a second, with exponential gaps."""
    rng, held = random.Random(seed), threading.local()

    def ask(body: Mapping[str, Any], due: float) -> Answered:
        if not hasattr(held, "client"):
            held.client = httpx.Client(timeout=60, trust_env=False)
        response = held.client.post(url, json=body)
        return Answered(status=response.status_code, body=response.json(), took_s=time.perf_counter() - due)

    with ThreadPoolExecutor(SENDERS) as senders:
        due, sent = time.perf_counter(), list[Future[Answered]]()
        for body in bodies:
            due += rng.expovariate(rate_per_s)
            time.sleep(max(0.0, due - time.perf_counter()))
            sent.append(senders.submit(ask, body, due))
        return [one.result() for one in sent]


def percentiles_ms(seconds: Sequence[float]) -> dict[str, float]:
    """The percentiles by nearest rank, in milliseconds; ValueError for none."""
    if not seconds:
        raise ValueError("nothing was measured")
    ordered = sorted(seconds)
    last = len(ordered) - 1
    return {
        f"p{share * 100:g} ms": 1000 * ordered[min(last, int(share * len(ordered)))] for share in PERCENTILES
    }
