"""One model thread: waiting jobs are taken together up to a token budget, callers in turn.

A caller's jobs are queued together or not at all. Each round takes one job of every caller, in the order they
came: one who brings many jobs delays the others by one job a round. Jobs are refused when they come if their
deadline cannot be met at the pace seen so far, and dropped unrun when it has passed or their caller has gone. A
batch that fails is run again job by job, so that only the job that cannot be computed fails.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, fields
from typing import Generic, Protocol, TypeVar

from schemas.errors import ConfigError, ModelUnavailable

log = logging.getLogger(__name__)


class Costed(Protocol):
    """A job that says what it costs."""

    @property
    def tokens(self) -> int:
        """Cost in tokens."""
        ...


Job = TypeVar("Job", bound=Costed)
Result = TypeVar("Result")


class Refused(ModelUnavailable):
    """Not computed, and why in a word or two for the counters."""

    def __init__(self, message: str, *, reason: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchConfig:
    """Limits of one model's queue; raises ConfigError for one below 1."""

    batch_tokens: int = 32_768
    batch_jobs: int = 64
    queue_jobs: int = 4_096
    queue_tokens: int = 4_000_000
    """Waiting tokens take about 40 bytes each: this bounds the memory of whatever many callers send at once."""
    linger_s: float = 0.0
    """How long a batch that is not full waits for company: for jobs so long that one that starts alone delays the rest."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name != "linger_s" and getattr(self, field.name) < 1:
                raise ConfigError(f"{field.name} is {getattr(self, field.name)}: give at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRun:
    """One batch that was computed: what it held, how long each job had waited, how long the engine took."""

    tokens: int
    waited_s: list[float]
    took_s: float


@dataclass(slots=True)
class _Waiting(Generic[Job, Result]):
    job: Job
    deadline: float
    since: float
    future: Future[Result]


@dataclass(slots=True)
class _Caller(Generic[Job, Result]):
    waiting: deque[_Waiting[Job, Result]]
    tokens: int


def _ignore(_run: BatchRun) -> None:
    pass


class Batcher(Generic[Job, Result]):
    """Runs jobs of many threads on one; `run` maps a batch to its results, in order. `on_batch` hears of each."""

    def __init__(
        self,
        run: Callable[[Sequence[Job]], list[Result]],
        config: BatchConfig,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run, self._clock = run, clock
        self.config = config
        self.on_batch: Callable[[BatchRun], None] = _ignore
        self._changed = threading.Condition()
        self._callers: deque[_Caller[Job, Result]] = deque()
        self._queued_jobs = self._running_tokens = 0
        self._closed = False
        self.pending_tokens = 0
        self.tokens_per_s: float | None = None
        self._thread = threading.Thread(target=self._loop, name="model", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether jobs are still being run."""
        return self._thread.is_alive()

    def submit(self, job: Job, deadline: float) -> Future[Result]:
        """Queue one job; see `submit_many`."""
        (future,) = self.submit_many([job], deadline)
        return future

    def submit_many(self, jobs: Sequence[Job], deadline: float) -> list[Future[Result]]:
        """Queue one caller's jobs to be done by `deadline` (of the clock); raises Refused if they cannot be."""
        now, tokens = self._clock(), sum(job.tokens for job in jobs)
        waiting: deque[_Waiting[Job, Result]] = deque(_Waiting(job, deadline, now, Future()) for job in jobs)
        futures = [one.future for one in waiting]
        if waiting:
            with self._changed:
                self._admit(len(jobs), tokens, deadline)
                self._callers.append(_Caller(waiting, tokens))
                self._queued_jobs += len(jobs)
                self.pending_tokens += tokens
                self._changed.notify()
        return futures

    def close(self) -> None:
        """Finish what is queued and stop the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _admit(self, jobs: int, tokens: int, deadline: float) -> None:
        if self._closed:
            raise Refused("the model server is stopping", reason="stopping")
        room = self.config.queue_tokens - self.pending_tokens
        if self._queued_jobs + jobs > self.config.queue_jobs or (self.pending_tokens and tokens > room):
            wait_s = max(1.0, self._seconds(self.pending_tokens))
            raise Refused("the model's queue is full", reason="queue full", retry_after_s=wait_s)
        if self._clock() + self._seconds(self.pending_tokens) > deadline:
            self._refuse_late(tokens, deadline)

    def _refuse_late(self, tokens: int, deadline: float) -> None:
        """Unless what is ahead of these jobs is less: a caller who waits for more tokens gives way after one job."""
        ahead = sum(min(caller.tokens, max(tokens, caller.waiting[0].job.tokens)) for caller in self._callers)
        wait_s = self._seconds(self._running_tokens + ahead)
        if self._clock() + wait_s > deadline:
            raise Refused(
                f"the deadline cannot be met: {wait_s:.1f} s of work are waiting",
                reason="deadline unreachable",
                retry_after_s=max(0.1, wait_s),
            )

    def _seconds(self, tokens: int) -> float:
        return tokens / self.tokens_per_s if self.tokens_per_s else 0.0

    def _loop(self) -> None:
        while batch := self._next_batch():
            ready = [waiting for waiting in batch if self._startable(waiting)]
            if ready:
                self._compute(ready)
            with self._changed:
                self.pending_tokens -= self._running_tokens
                self._running_tokens = 0

    def _next_batch(self) -> list[_Waiting[Job, Result]]:
        """Wait for work; empty only when closed and drained."""
        with self._changed:
            self._changed.wait_for(lambda: self._callers or self._closed)
            if self.config.linger_s:
                self._changed.wait_for(self._full, timeout=self.config.linger_s)
            batch: list[_Waiting[Job, Result]] = []
            while self._callers and len(batch) < self.config.batch_jobs:
                tokens = self._callers[0].waiting[0].job.tokens
                if batch and self._running_tokens + tokens > self.config.batch_tokens:
                    break
                self._running_tokens += tokens
                batch.append(self._take())
            return batch

    def _take(self) -> _Waiting[Job, Result]:
        """The first caller's next job; then it is the next caller's turn."""
        caller = self._callers.popleft()
        taken = caller.waiting.popleft()
        caller.tokens -= taken.job.tokens
        self._queued_jobs -= 1
        if caller.waiting:
            self._callers.append(caller)
        return taken

    def _full(self) -> bool:
        return self._closed or self._queued_jobs >= self.config.batch_jobs

    def _startable(self, waiting: _Waiting[Job, Result]) -> bool:
        if not waiting.future.set_running_or_notify_cancel():
            return False
        if self._clock() > waiting.deadline:
            error = Refused("the deadline passed in the queue", reason="deadline passed")
            waiting.future.set_exception(error)
            return False
        return True

    def _compute(self, ready: list[_Waiting[Job, Result]]) -> None:
        start = self._clock()
        try:
            results = self._run([waiting.job for waiting in ready])
        except Exception as error:  # whatever a job did, the thread lives on for the others
            log.exception("a batch of %d jobs failed", len(ready))
            if len(ready) == 1:
                ready[0].future.set_exception(error)
                return
            for waiting in ready:
                self._compute([waiting])
            return
        took_s, tokens = self._clock() - start, sum(waiting.job.tokens for waiting in ready)
        self._learn_pace(tokens, took_s)
        for waiting, result in zip(ready, results, strict=True):
            waiting.future.set_result(result)
        waited_s = [start - waiting.since for waiting in ready]
        self.on_batch(BatchRun(tokens=tokens, waited_s=waited_s, took_s=took_s))

    def _learn_pace(self, tokens: int, took_s: float) -> None:
        pace = tokens / max(took_s, 1e-6)
        self.tokens_per_s = pace if self.tokens_per_s is None else 0.8 * self.tokens_per_s + 0.2 * pace
