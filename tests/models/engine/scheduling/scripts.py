"""Scripts of arrivals, withdrawals and batches, and a queue that is driven by them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st

from models.engine.scheduling.member import Request, packed
from models.engine.scheduling.policies import Policy
from models.engine.scheduling.waiting_queue import Batch, Caller, WaitingQueue

PREFIXES = st.lists(st.integers(0, 2), max_size=4)
REQUESTS = st.tuples(PREFIXES, st.integers(0, 30), st.integers(1, 60))
"""Prefix, own tokens, seconds until the deadline."""


@dataclass(frozen=True)
class Come:
    requests: list[tuple[list[int], int, int]]
    priority: int


@dataclass(frozen=True)
class Withdraw:
    number: int


@dataclass(frozen=True)
class TakeBatch:
    tokens: int
    requests: int


SCRIPTS = st.lists(
    st.one_of(
        st.builds(Come, st.lists(REQUESTS, min_size=1, max_size=4), st.integers(-1, 1)),
        st.builds(Come, st.lists(REQUESTS, min_size=1, max_size=1), st.just(0)),
        st.builds(Withdraw, st.integers(0, 30)),
        st.builds(TakeBatch, st.integers(1, 80), st.integers(1, 6)),
    ),
    max_size=40,
)


@dataclass
class Driven:
    """A queue, and what went in and came out of it. Each step takes one second."""

    new_policy: Callable[[], Policy]
    cache_tokens: int = 0
    now: float = 0.0
    callers: list[Caller] = field(default_factory=list)
    entered: list[Request] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    withdrawn: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.queue = WaitingQueue(self.new_policy, self.cache_tokens)

    def play(self, script: list[Come | Withdraw | TakeBatch]) -> None:
        for step in script:
            self.now += 1
            if isinstance(step, Come):
                self.come(step.requests, step.priority)
            elif isinstance(step, TakeBatch):
                self.take(step.tokens, step.requests)
            elif self.callers:
                self.withdrawn += self.queue.withdraw(self.callers[step.number % len(self.callers)])

    def come(self, requests: list[tuple[list[int], int, int]], priority: int = 0) -> list[Request]:
        made = [Request(prefix=packed(ids), own=own, deadline=self.now + left) for ids, own, left in requests]
        self.entered += made
        self.callers.append(self.queue.add(made, priority))
        return made

    def take(self, tokens: int, requests: int) -> Batch:
        self.batches.append(self.queue.next_batch(self.now, tokens=tokens, requests=requests))
        return self.batches[-1]

    def empty(self) -> None:
        """Take batches of one request until none waits."""
        while len(self.queue):
            self.now += 1
            self.take(1, 1)

    def left(self) -> list[Request]:
        """All requests that have left, in their order."""
        return [one for batch in self.batches for one in (*batch.requests, *batch.expired)] + self.withdrawn
