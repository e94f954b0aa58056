"""The requests that wait for an engine: by priority, in turns of their callers, and within that by a policy.

- Priority: higher is sooner. A request is taken only if none of a higher priority waits (that could be taken now).
- Turns: of one caller one request stands for the policy to choose. After it was taken, the caller's next one comes in
  when the batch is full, or when no other caller of its priority waits. It counts as one that came at that moment. So a
  caller with many requests delays the others as much as callers with one request each would.
- Policy: chooses among the requests that stand.
- Deadlines: a request whose deadline has passed is handed out as expired, and takes no room in the batch.

A plain state machine: it has no thread and reads no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from models.engine.scheduling.member import Request
from models.engine.scheduling.policies import Policy


@dataclass(slots=True)
class Batch:
    """What is computed together."""

    requests: list[Request] = field(default_factory=list)
    expired: list[Request] = field(default_factory=list)
    """Requests that left the queue with this batch because their deadline had passed."""
    computed_tokens: int = 0
    """Tokens to compute, each prefix that several requests share counted once."""


class Caller:
    """Requests that were added together, until the last of them has left."""

    __slots__ = ("priority", "tokens", "waiting")

    def __init__(self, requests: Sequence[Request], priority: int) -> None:
        self.waiting = deque(requests)
        self.priority = priority
        self.tokens = sum(request.tokens for request in requests)
        for request in requests:
            request.caller = self

    def left(self) -> None:
        """Drop the first request, which has left."""
        self.tokens -= self.waiting.popleft().tokens


class WaitingQueue:
    """Waiting requests of all priorities."""

    def __init__(self, new_policy: Callable[[], Policy], cache_tokens: int = 0) -> None:
        """`cache_tokens`: most tokens of prefixes that the engine keeps from batch to batch; ours keeps none."""
        self._new_policy, self._cache_tokens = new_policy, cache_tokens
        self._bands: dict[int, _Band] = {}
        self._numbers = 0
        self._requests = 0
        self.clock = 0
        """The token clock: tokens computed by all batches so far."""

    def __len__(self) -> int:
        """Return how many requests wait."""
        return self._requests

    def add(self, requests: Sequence[Request], priority: int = 0) -> Caller:
        """Queue one caller's requests, at least one."""
        caller = Caller(requests, priority)
        if priority not in self._bands:
            self._bands[priority] = _Band(self._new_policy())
        band = self._bands[priority]
        band.callers[caller] = None
        self._requests += len(requests)
        self._stand(band, caller)
        return caller

    def withdraw(self, caller: Caller) -> list[Request]:
        """Remove and return those of a caller's requests that still wait."""
        band = self._bands.get(caller.priority)
        if band is None or caller not in band.callers:
            return []
        band.drop(caller)
        self._drop_empty(caller.priority)
        self._requests -= len(caller.waiting)
        gone, caller.waiting, caller.tokens = list(caller.waiting), deque(), 0
        return gone

    def next_batch(self, now: float, *, tokens: int, requests: int) -> Batch:
        """Take the next requests: at most so many, which cost `tokens` at most together, or one longer request."""
        batch, used = Batch(), list[_Band]()
        for priority in sorted(self._bands, reverse=True):
            used.append(self._bands[priority])
            if not self._fill(batch, used[-1], now, tokens, requests):
                break
        self._close(batch, used)
        return batch

    def ahead(self, tokens: int, priority: int) -> int:
        """Return how many waiting tokens come before a caller that adds so many at this priority, by turns alone.

        Callers of a higher priority come before it whole; one of its own delays it by at most as many tokens as it
        adds, or by one longer request. A policy other than FCFS may take it earlier or later.
        """
        higher = sum(c.tokens for key, band in self._bands.items() if key > priority for c in band.callers)
        alike = self._bands[priority].callers if priority in self._bands else ()
        return higher + sum(min(c.tokens, max(tokens, c.waiting[0].tokens)) for c in alike)

    def _fill(self, batch: Batch, band: _Band, now: float, tokens: int, requests: int) -> bool:
        """Add requests of one priority to a batch; returns whether there is room for those of the next."""
        for earlier in batch.requests:
            band.policy.tree.compute(earlier.prefix)
        while band.callers:
            if len(batch.requests) >= requests:
                return False
            self._stand_again(band, only_if_none=True)
            request = band.policy.first(self.clock)
            if request.deadline < now:
                self._expire(batch, band, request)
                continue
            cost = band.policy.tree.uncached(request)
            if batch.requests and batch.computed_tokens + cost > tokens:
                return False
            self._take(batch, band, request, cost)
        return True

    def _take(self, batch: Batch, band: _Band, request: Request, cost: int) -> None:
        band.policy.tree.compute_for(request)
        band.policy.took()
        self._leave(band, request)
        if request.caller.waiting:
            band.resting.append(request.caller)
        batch.requests.append(request)
        batch.computed_tokens += cost
        self.clock += cost

    def _expire(self, batch: Batch, band: _Band, request: Request) -> None:
        self._leave(band, request)
        if request.caller.waiting:
            self._stand(band, request.caller)
        batch.expired.append(request)

    def _leave(self, band: _Band, request: Request) -> None:
        band.policy.remove(request)
        request.caller.left()
        self._requests -= 1
        if not request.caller.waiting:
            del band.callers[request.caller]

    def _stand(self, band: _Band, caller: Caller) -> None:
        """Let the policy choose a caller's first request from now on."""
        self._numbers += 1
        request = caller.waiting[0]
        request.order, request.arrived = self._numbers, self.clock
        band.policy.add(request)

    def _stand_again(self, band: _Band, *, only_if_none: bool = False) -> None:
        if not (only_if_none and band.policy.tree.root.count):
            resting, band.resting = band.resting, []
            for caller in resting:
                self._stand(band, caller)

    def _close(self, batch: Batch, used: Sequence[_Band]) -> None:
        """End a batch: what it computed is forgotten, or kept as far as the cache goes, by all priorities."""
        for band in self._bands.values() if self._cache_tokens else used:
            for request in () if band in used else batch.requests:
                band.policy.tree.compute(request.prefix)
            band.policy.tree.forget(self._cache_tokens)
            self._stand_again(band)
        for priority in [key for key, band in self._bands.items() if band in used]:
            self._drop_empty(priority)

    def _drop_empty(self, priority: int) -> None:
        if not (self._bands[priority].callers or self._cache_tokens):
            del self._bands[priority]


@dataclass(slots=True, eq=False)
class _Band:
    """The callers of one priority."""

    policy: Policy
    callers: dict[Caller, None] = field(default_factory=dict)
    resting: list[Caller] = field(default_factory=list)
    """Callers whose next request comes in with the next batch, or when no other waits."""

    def drop(self, caller: Caller) -> None:
        """Take out a caller with all its requests."""
        del self.callers[caller]
        if caller in self.resting:
            self.resting.remove(caller)
        else:
            self.policy.remove(caller.waiting[0])
