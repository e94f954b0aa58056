"""Processor time of one decision while many wait."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.scheduling.traces import Arrival
from models.engine.scheduling.member import Request
from models.engine.scheduling.policies import Policy
from models.engine.scheduling.waiting_queue import WaitingQueue


@dataclass(frozen=True, slots=True)
class Costs:
    """Microseconds of processor time, on average over all batches but the first."""

    decision_us: float
    """A request's share of its batch: to choose it, to take it out, and what the batch's end costs."""
    arrival_us: float


def costs(new_policy: Callable[[], Policy], trace: list[Arrival], waiting: int, cache_tokens: int) -> Costs:
    """Take batch after batch while `waiting` requests wait, of whom as many come as are taken."""
    queue, arrivals = WaitingQueue(new_policy, cache_tokens), (_request(one) for one in trace)
    _come(queue, itertools.islice(arrivals, waiting))
    _come(queue, itertools.islice(arrivals, len(_taken(queue))))
    decided_ns = came_ns = requests = 0
    while True:
        began = time.process_time_ns()
        taken = len(_taken(queue))
        decided = time.process_time_ns()
        fresh = list(itertools.islice(arrivals, taken))
        if len(fresh) < taken:
            return Costs(decided_ns / requests / 1e3, came_ns / requests / 1e3)
        coming = time.process_time_ns()
        _come(queue, iter(fresh))
        decided_ns, came_ns = decided_ns + decided - began, came_ns + time.process_time_ns() - coming
        requests += taken


def _taken(queue: WaitingQueue) -> list[Request]:
    return queue.next_batch(0.0, tokens=8_192, requests=64).requests


def _come(queue: WaitingQueue, requests: Iterator[Request]) -> None:
    for request in requests:
        queue.add([request])


def _request(arrival: Arrival) -> Request:
    return Request(prefix=arrival.prefix, own=arrival.own)
