"""One trace through one queue and one server, under a virtual clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from benchmarks.scheduling.traces import Arrival
from models.engine.scheduling.member import Request
from models.engine.scheduling.waiting_queue import Batch


class Queue(Protocol):
    """What is replayed."""

    def __len__(self) -> int:
        """Return how many requests wait."""
        ...

    def add(self, requests: Sequence[Request]) -> Any:
        """Queue one caller's requests."""
        ...

    def next_batch(self, now: float, *, tokens: int, requests: int) -> Batch:
        """Take the next batch."""
        ...


@dataclass(frozen=True, slots=True)
class Server:
    """Computes a batch at a time at one speed."""

    tokens_per_s: float
    cache_tokens: int
    """Most tokens of prefixes that it keeps from batch to batch."""
    batch_tokens: int = 8_192
    batch_requests: int = 64


@dataclass(slots=True)
class Run:
    """What came out: of each request the time to first token, from arrival to the batch's end, in the trace's order."""

    ttft_s: list[float]
    tokens: int
    computed_tokens: int = 0
    most_waiting: int = 0

    @property
    def reuse(self) -> float:
        """Share of the tokens that were not computed."""
        return 1 - self.computed_tokens / self.tokens


def replay(trace: Sequence[Arrival], queue: Queue, server: Server) -> Run:
    """Let the server take a batch whenever it is free and a request waits."""
    run = Run(ttft_s=[0.0] * len(trace), tokens=sum(one.tokens for one in trace))
    now, came = 0.0, 0
    while came < len(trace) or len(queue):
        now = max(now, trace[came].at_s) if not len(queue) else now
        while came < len(trace) and trace[came].at_s <= now:
            queue.add([Request(came, prefix=trace[came].prefix, own=trace[came].own)])
            came += 1
        run.most_waiting = max(run.most_waiting, len(queue))
        batch = queue.next_batch(now, tokens=server.batch_tokens, requests=server.batch_requests)
        now += batch.computed_tokens / server.tokens_per_s
        run.computed_tokens += batch.computed_tokens
        for request in batch.requests:
            run.ttft_s[request.payload] = now - trace[request.payload].at_s
    return run
