"""One trace through one queue and one server, under a virtual clock."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from benchmarks.scheduling.traces import Arrival
from models.engine.scheduling.member import Request
from models.engine.scheduling.waiting_queue import Batch


class Queue(Protocol):
    """What is replayed."""

    def __len__(self) -> int: ...

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
    """What came out: of each request the seconds from its arrival until it was computed, in the trace's order."""

    ttft_s: list[float]
    cold: list[bool]
    tokens: int = 0
    computed_tokens: int = 0
    busy_s: float = 0.0
    ended_s: float = 0.0
    most_waiting: int = 0
    decisions: int = 0
    deciding_s: float = 0.0
    """Processor time of arrivals and batches in the queue."""
    takes: list[float] = field(default_factory=list)

    @property
    def reuse(self) -> float:
        """Share of the tokens that were not computed."""
        return 1 - self.computed_tokens / self.tokens


def replay(trace: Sequence[Arrival], queue: Queue, server: Server) -> Run:
    """Let the server take a batch whenever it is free and a request waits."""
    run = Run(
        ttft_s=[0.0] * len(trace), cold=[one.cold for one in trace], tokens=sum(one.tokens for one in trace)
    )
    now, came = 0.0, 0
    while came < len(trace) or len(queue):
        now = max(now, trace[came].at_s) if not len(queue) else now
        began = time.process_time()
        while came < len(trace) and trace[came].at_s <= now:
            queue.add([Request(came, prefix=trace[came].prefix, own=trace[came].own)])
            came += 1
        run.most_waiting = max(run.most_waiting, len(queue))
        batch = queue.next_batch(now, tokens=server.batch_tokens, requests=server.batch_requests)
        run.deciding_s += time.process_time() - began
        now += batch.computed_tokens / server.tokens_per_s
        run.decisions += len(batch.requests)
        run.computed_tokens += batch.computed_tokens
        for request in batch.requests:
            run.ttft_s[request.payload] = now - trace[request.payload].at_s
    run.busy_s, run.ended_s = run.computed_tokens / server.tokens_per_s, now
    return run
