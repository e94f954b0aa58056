"""Queue jobs of many threads and run them in batches on one model thread, fairly between callers of one priority.

A caller's jobs are queued together or not at all. A batch is filled up to a token budget from the callers of the
highest priority that waits, by taking one job of each in turn, so a caller with many jobs delays each other caller of
its priority by one job a round. A lower priority waits as long as a higher one does; what runs is not interrupted.
Jobs are refused when they are submitted if their deadline cannot be met at the measured speed. They are dropped
without being run if the deadline passes in the queue or the caller withdraws them. A batch that fails is run again job
by job: only the job at fault fails.
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, fields
from typing import Annotated, Generic, Protocol, TypeVar

from schemas.errors import ConfigError, ModelUnavailable
from schemas.settings import Option

log = logging.getLogger(__name__)


class Costed(Protocol):
    """A job that knows its cost."""

    @property
    def tokens(self) -> int:
        """Cost in tokens."""
        ...


Job = TypeVar("Job", bound=Costed)
Result = TypeVar("Result")


class JobRefused(ModelUnavailable):
    """A job was not computed; `reason` says why in a word or two, as a label of the metrics."""

    def __init__(self, message: str, *, reason: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchConfig:
    """Limits of one model's queue; ConfigError for a limit below 1."""

    batch_tokens: Annotated[int, Option("Tokens of one batch of the ranker.")] = 32_768
    batch_jobs: int = 64
    queue_jobs: int = 4_096
    queue_tokens: Annotated[int, Option("Tokens that may wait for the ranker; more is answered 503.")] = (
        4_000_000
    )
    """A waiting token takes about 40 bytes: this bounds the memory that many callers can fill."""
    linger_s: float = 0.0
    """How long a batch waits to be full: worth it for long jobs, of which one alone would delay all that come later."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name != "linger_s" and getattr(self, field.name) < 1:
                raise ConfigError(f"{field.name} is {getattr(self, field.name)}: give at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRun:
    """One computed batch: its tokens, how long each job had waited, how long the engine took."""

    tokens: int
    waited_s: list[float]
    took_s: float


@dataclass(slots=True)
class _QueuedJob(Generic[Job, Result]):
    job: Job
    deadline: float
    since: float
    future: Future[Result]


@dataclass(slots=True, eq=False)
class _Caller(Generic[Job, Result]):
    waiting: deque[_QueuedJob[Job, Result]]
    tokens: int


class _Lines(Generic[Job, Result]):
    """The callers that wait: of each priority a line, in which they take turns. Not safe for several threads."""

    def __init__(self) -> None:
        self._of: dict[int, deque[_Caller[Job, Result]]] = {}
        self._order: list[int] = []
        """A heap of the negated priorities that have a line."""

    def __bool__(self) -> bool:
        return bool(self._of)

    def add(self, caller: _Caller[Job, Result], priority: int) -> None:
        """Put a caller at the end of its priority's line."""
        if priority not in self._of:
            self._of[priority] = deque()
            heapq.heappush(self._order, -priority)
        self._of[priority].append(caller)

    def first(self) -> _QueuedJob[Job, Result]:
        """Return the job that `take` would take."""
        return self._of[-self._order[0]][0].waiting[0]

    def take(self) -> _QueuedJob[Job, Result]:
        """Take the next job of the highest priority's first caller and put that caller at the end of its line."""
        line = self._of[-self._order[0]]
        caller = line.popleft()
        taken = caller.waiting.popleft()
        caller.tokens -= taken.job.tokens
        if caller.waiting:
            line.append(caller)
        elif not line:
            del self._of[-heapq.heappop(self._order)]
        return taken

    def ahead(self, tokens: int, priority: int) -> int:
        """Return how many waiting tokens come before a caller that submits so many at this priority.

        Callers of a higher priority come before it whole; one of its own delays it by at most as many tokens as it
        submits, or by one longer job.
        """
        higher = sum(caller.tokens for key, line in self._of.items() if key > priority for caller in line)
        alike = self._of.get(priority, ())
        return higher + sum(min(one.tokens, max(tokens, one.waiting[0].job.tokens)) for one in alike)

    def withdraw(self, futures: Sequence[Future[Result]]) -> list[_QueuedJob[Job, Result]]:
        """Remove and return those of one caller's jobs that still wait."""
        wanted = set(map(id, futures))
        for priority, line in self._of.items():
            for caller in line:
                if id(caller.waiting[0].future) in wanted:
                    line.remove(caller)
                    if not line:
                        del self._of[priority]
                        self._order.remove(-priority)
                        heapq.heapify(self._order)
                    return list(caller.waiting)
        return []


def _ignore(_run: BatchRun) -> None:
    pass


class Batcher(Generic[Job, Result]):
    """Runs jobs of many threads on one: `run` maps a batch to its results in order; `on_batch` is called after each."""

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
        self._lines: _Lines[Job, Result] = _Lines()
        self._queued_jobs = self._running_tokens = 0
        self._closed = False
        self.pending_tokens = 0
        self.tokens_per_s: float | None = None
        self._thread = threading.Thread(target=self._loop, name="model", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the model thread runs."""
        return self._thread.is_alive()

    def submit_many(self, jobs: Sequence[Job], deadline: float, priority: int = 0) -> list[Future[Result]]:
        """Queue one caller's jobs, to be done by `deadline` on the batcher's clock; JobRefused if that cannot be.

        Jobs of a higher priority are taken before all others that wait.
        """
        now, tokens = self._clock(), sum(job.tokens for job in jobs)
        waiting: deque[_QueuedJob[Job, Result]] = deque(
            _QueuedJob(job, deadline, now, Future()) for job in jobs
        )
        futures = [one.future for one in waiting]
        if waiting:
            with self._changed:
                self._admit(len(jobs), tokens, deadline, priority)
                self._lines.add(_Caller(waiting, tokens), priority)
                self._queued_jobs += len(jobs)
                self.pending_tokens += tokens
                self._changed.notify()
        return futures

    def withdraw(self, futures: Sequence[Future[Result]]) -> None:
        """Take what still waits of one caller's jobs out of the queue at once, and cancel it."""
        with self._changed:
            gone = self._lines.withdraw(futures)
            self._queued_jobs -= len(gone)
            self.pending_tokens -= sum(waiting.job.tokens for waiting in gone)
        for waiting in gone:
            waiting.future.cancel()

    def close(self) -> None:
        """Run the jobs in the queue, then stop the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _admit(self, jobs: int, tokens: int, deadline: float, priority: int) -> None:
        if self._closed:
            raise JobRefused("the model server is stopping", reason="stopping")
        room = self.config.queue_tokens - self.pending_tokens
        if self._queued_jobs + jobs > self.config.queue_jobs or (self.pending_tokens and tokens > room):
            wait_s = max(1.0, self._seconds(self.pending_tokens))
            raise JobRefused("the model's queue is full", reason="queue full", retry_after_s=wait_s)
        if self._clock() + self._seconds(self.pending_tokens) > deadline:
            self._check_deadline(tokens, deadline, priority)

    def _check_deadline(self, tokens: int, deadline: float, priority: int) -> None:
        """Raise JobRefused unless the deadline can be met under fair turns."""
        now = self._clock()
        if now > deadline:
            raise JobRefused("the deadline passed", reason="deadline passed")
        wait_s = self._seconds(self._running_tokens + self._lines.ahead(tokens, priority))
        if now + wait_s > deadline:
            raise JobRefused(
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

    def _next_batch(self) -> list[_QueuedJob[Job, Result]]:
        """Wait for jobs and return the next batch; an empty one when the batcher is closed and its queue empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._lines or self._closed)
            if self.config.linger_s:
                self._changed.wait_for(self._full, timeout=self.config.linger_s)
            batch: list[_QueuedJob[Job, Result]] = []
            while self._lines and len(batch) < self.config.batch_jobs:
                tokens = self._lines.first().job.tokens
                if batch and self._running_tokens + tokens > self.config.batch_tokens:
                    break
                self._running_tokens += tokens
                batch.append(self._lines.take())
            self._queued_jobs -= len(batch)
            return batch

    def _full(self) -> bool:
        return self._closed or self._queued_jobs >= self.config.batch_jobs

    def _startable(self, waiting: _QueuedJob[Job, Result]) -> bool:
        if not waiting.future.set_running_or_notify_cancel():
            return False
        if self._clock() > waiting.deadline:
            error = JobRefused("the deadline passed in the queue", reason="deadline passed")
            waiting.future.set_exception(error)
            return False
        return True

    def _compute(self, ready: list[_QueuedJob[Job, Result]]) -> None:
        start = self._clock()
        try:
            results = self._run([waiting.job for waiting in ready])
        except Exception as error:  # no job may end the thread, which the others need
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
