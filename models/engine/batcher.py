"""Queue jobs of many threads and run them in batches on one model thread, fairly between callers of one priority.

A caller's jobs are queued together or not at all. A batch is filled up to a token budget from the callers of the
highest priority that waits, with one job of each before a second one of any, so a caller with many jobs delays each
other caller of its priority by one job a batch. Which caller comes next is a policy's choice
(`models/engine/scheduling`). A lower priority waits as long as a higher one does; what runs is not interrupted.
Jobs are refused when they are submitted if their deadline cannot be met at the measured speed. They are dropped
without being run if the deadline passes in the queue or the caller withdraws them. A batch that fails is run again job
by job: only the job at fault fails.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, fields
from typing import Annotated, Generic, Protocol, TypeVar

from models.engine.scheduling.choosing import POLICIES, PolicyName
from models.engine.scheduling.member import Request, packed
from models.engine.scheduling.waiting_queue import Batch, Caller, WaitingQueue
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
    policy: Annotated[
        PolicyName,
        Option(
            "Which waiting request the ranker takes next, among those of the highest priority. fcfs: the oldest. "
            "lpm: the one that shares most with what the batch holds; others may wait for ever. k-lpm: the oldest, then "
            "15 by lpm, in turn. aged-lpm: lpm, but waiting counts too. hrrn: the longest wait for what it costs. "
            "density: the query with the most requests and the longest waits for the tokens that they cost together."
        ),
    ] = PolicyName.FCFS
    linger_s: float = 0.0
    """How long a batch waits to be full: worth it for long jobs, of which one alone would delay all that come later."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name not in ("linger_s", "policy") and getattr(self, field.name) < 1:
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
    since: float
    future: Future[Result]


def _ignore(_run: BatchRun) -> None:
    pass


def _all_own(job: Costed) -> tuple[Sequence[int], int]:
    return (), job.tokens


def _expire(queued: _QueuedJob[Job, Result]) -> None:
    if queued.future.set_running_or_notify_cancel():
        error = JobRefused("the deadline passed in the queue", reason="deadline passed")
        queued.future.set_exception(error)


class Batcher(Generic[Job, Result]):
    """Runs jobs of many threads on one: `run` maps a batch to its results in order; `on_batch` is called after each."""

    def __init__(
        self,
        run: Callable[[Sequence[Job]], list[Result]],
        config: BatchConfig,
        clock: Callable[[], float] = time.monotonic,
        divided: Callable[[Job], tuple[Sequence[int], int]] = _all_own,
    ) -> None:
        """`divided` returns the token ids that a job may share with others, and the number of its other tokens."""
        self._run, self._clock, self._divided = run, clock, divided
        self.config = config
        self.on_batch: Callable[[BatchRun], None] = _ignore
        self._changed = threading.Condition()
        self._queue = WaitingQueue(POLICIES[config.policy])
        self._callers: dict[Future[Result], Caller] = {}
        """The caller of each job that waits."""
        self._running_tokens = 0
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
        requests = [self._request(job, deadline, now) for job in jobs]
        futures: list[Future[Result]] = [request.payload.future for request in requests]
        if requests:
            with self._changed:
                self._admit(len(jobs), tokens, deadline, priority)
                caller = self._queue.add(requests, priority)
                self._callers.update(dict.fromkeys(futures, caller))
                self.pending_tokens += tokens
                self._changed.notify()
        return futures

    def withdraw(self, futures: Sequence[Future[Result]]) -> None:
        """Take what still waits of one caller's jobs out of the queue at once, and cancel it."""
        with self._changed:
            caller = next((self._callers[one] for one in futures if one in self._callers), None)
            gone = [request.payload for request in self._queue.withdraw(caller)] if caller else []
            self._left(gone)
            self.pending_tokens -= sum(waiting.job.tokens for waiting in gone)
        for waiting in gone:
            waiting.future.cancel()

    def close(self) -> None:
        """Run the jobs in the queue, then stop the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _request(self, job: Job, deadline: float, now: float) -> Request:
        prefix, own = self._divided(job)
        queued: _QueuedJob[Job, Result] = _QueuedJob(job, now, Future())
        return Request(queued, prefix=packed(prefix), own=own, deadline=deadline)

    def _admit(self, jobs: int, tokens: int, deadline: float, priority: int) -> None:
        if self._closed:
            raise JobRefused("the model server is stopping", reason="stopping")
        room = self.config.queue_tokens - self.pending_tokens
        if len(self._queue) + jobs > self.config.queue_jobs or (self.pending_tokens and tokens > room):
            wait_s = max(1.0, self._seconds(self.pending_tokens))
            raise JobRefused("the model's queue is full", reason="queue full", retry_after_s=wait_s)
        if self._clock() + self._seconds(self.pending_tokens) > deadline:
            self._check_deadline(tokens, deadline, priority)

    def _check_deadline(self, tokens: int, deadline: float, priority: int) -> None:
        """Raise JobRefused unless the deadline can be met under fair turns."""
        now = self._clock()
        if now > deadline:
            raise JobRefused("the deadline passed", reason="deadline passed")
        wait_s = self._seconds(self._running_tokens + self._queue.ahead(tokens, priority))
        if now + wait_s > deadline:
            raise JobRefused(
                f"the deadline cannot be met: {wait_s:.1f} s of work are waiting",
                reason="deadline unreachable",
                retry_after_s=max(0.1, wait_s),
            )

    def _seconds(self, tokens: int) -> float:
        return tokens / self.tokens_per_s if self.tokens_per_s else 0.0

    def _loop(self) -> None:
        while (batch := self._next_batch()) is not None:
            for request in batch.expired:
                _expire(request.payload)
            taken = [request.payload for request in batch.requests]
            ready = [queued for queued in taken if queued.future.set_running_or_notify_cancel()]
            if ready:
                self._compute(ready)
            with self._changed:
                self.pending_tokens -= self._running_tokens
                self._running_tokens = 0

    def _next_batch(self) -> Batch | None:
        """Wait for jobs and return the next batch; None when the batcher is closed and its queue empty."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._queue) or self._closed)
            if not len(self._queue):
                return None
            if self.config.linger_s:
                self._changed.wait_for(self._full, timeout=self.config.linger_s)
            batch = self._queue.next_batch(
                self._clock(), tokens=self.config.batch_tokens, requests=self.config.batch_jobs
            )
            left = [request.payload for request in (*batch.requests, *batch.expired)]
            self._left(left)
            self._running_tokens = sum(queued.job.tokens for queued in left)
            return batch

    def _left(self, queued: Sequence[_QueuedJob[Job, Result]]) -> None:
        for one in queued:
            del self._callers[one.future]

    def _full(self) -> bool:
        return self._closed or len(self._queue) >= self.config.batch_jobs

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
