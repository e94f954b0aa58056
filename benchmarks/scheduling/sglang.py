"""SGLang's schedule policies `fcfs`, `lpm` and `hrrn` as they are at 00550cd, for a queue like ours.

Written anew from its rules: at each batch the whole queue is sorted; requests that have at most 32 tokens of their
prefix computed, and share 32 with one before them in the queue, come last; above 128 waiting requests nothing is sorted
and nothing is matched. Ties of `hrrn` go by the request's id as text, which for random ids is no order.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

from models.engine.scheduling.member import TOKEN_BYTES, Request
from models.engine.scheduling.prefix_tree import PrefixTree, common_bytes
from models.engine.scheduling.rankings import Unranked
from models.engine.scheduling.waiting_queue import Batch

SORTED_AT_MOST = 128
CHECKED, DEFERRED = 32, 32
"""Computed tokens up to which a request is looked at, and tokens in common with one before it that defer it."""


class SglangQueue:
    """Waiting requests, sorted anew at each batch."""

    def __init__(self, name: str, cache_tokens: int) -> None:
        self._sorted: Callable[[], list[Request]] = {
            "fcfs": self._fcfs,
            "lpm": self._lpm,
            "hrrn": self._hrrn,
        }[name]
        self._cache_tokens = cache_tokens
        self._waiting: list[Request] = []
        self._ids: dict[Request, float] = {}
        self._draw = random.Random(0)
        self._tree = PrefixTree(Unranked)
        self.clock = 0

    def __len__(self) -> int:
        """Return how many requests wait."""
        return len(self._waiting)

    def add(self, requests: Sequence[Request]) -> None:
        """Queue requests."""
        for request in requests:
            request.arrived = self.clock
            self._ids[request] = self._draw.random()
            self._tree.add(request)
        self._waiting += requests

    def next_batch(self, now: float, *, tokens: int, requests: int) -> Batch:  # noqa: ARG002  (no deadlines here)
        """Sort, then take from the front until one does not fit."""
        batch = Batch()
        for request in self._fcfs() if len(self._waiting) > SORTED_AT_MOST else self._sorted():
            cost = self._tree.uncached(request)
            if len(batch.requests) >= requests or (batch.requests and batch.computed_tokens + cost > tokens):
                break
            self._tree.compute(request.prefix)
            batch.requests.append(request)
            batch.computed_tokens += cost
        self._leave(batch)
        return batch

    def _leave(self, batch: Batch) -> None:
        self.clock += batch.computed_tokens
        for request in batch.requests:
            self._tree.remove(request)
            del self._ids[request]
        taken = set(batch.requests)
        self._waiting = [one for one in self._waiting if one not in taken]
        self._tree.forget(self._cache_tokens)

    def _fcfs(self) -> list[Request]:
        return self._waiting

    def _lpm(self) -> list[Request]:
        deferred = self._deferred()
        return sorted(self._waiting, key=lambda r: math.inf if r in deferred else -self._matched(r))

    def _hrrn(self) -> list[Request]:
        deferred = self._deferred()

        def key(request: Request) -> tuple[float, float]:
            uncached = self._tree.uncached(request)
            if request in deferred:
                return math.inf, self._ids[request]
            if uncached <= 0:
                return -math.inf, self._ids[request]
            return -(self.clock - request.arrived) / uncached, self._ids[request]

        return sorted(self._waiting, key=key)

    def _matched(self, request: Request) -> int:
        return request.tokens - self._tree.uncached(request)

    def _deferred(self) -> set[Request]:
        """Return the requests that share a prefix, not yet computed, with one before them in the queue."""
        found, kept = set[Request](), dict[bytes, list[Request]]()
        for request in self._waiting:
            if self._matched(request) > CHECKED:
                continue
            alike = kept.setdefault(request.prefix[: DEFERRED * TOKEN_BYTES], [])
            if alike and common_bytes(request.prefix, alike[0].prefix) >= DEFERRED * TOKEN_BYTES:
                found.add(request)
            else:
                alike.append(request)
        return found
