"""One model thread: waiting jobs are taken together up to a token budget, in the order they came.

A job is refused when it comes if its deadline cannot be met at the pace seen so far, and dropped unrun when
its deadline has passed or its client has gone. A batch that fails is run again job by job, so that only the
job that cannot be computed fails.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from schemas.errors import ModelUnavailable

log = logging.getLogger(__name__)


class Costed(Protocol):
    """A job that says what it costs."""

    @property
    def tokens(self) -> int:
        """Cost in tokens."""
        ...


Job = TypeVar("Job", bound=Costed)
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchConfig:
    """Limits of one model's queue."""

    batch_tokens: int = 32_768
    batch_jobs: int = 64
    queue_jobs: int = 4_096
    linger_s: float = 0.0
    """How long a batch that is not full waits for company: for jobs so long that one that starts alone delays the rest."""


@dataclass(slots=True)
class _Waiting(Generic[Job, Result]):
    job: Job
    deadline: float
    future: Future[Result]


class Batcher(Generic[Job, Result]):
    """Runs jobs of many threads on one; `run` maps a batch to its results, in order."""

    def __init__(
        self,
        run: Callable[[Sequence[Job]], list[Result]],
        config: BatchConfig,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run, self._config, self._clock = run, config, clock
        self._changed = threading.Condition()
        self._queue: deque[_Waiting[Job, Result]] = deque()
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
        """Queue a job to be done by `deadline` (of the clock); raises ModelUnavailable if it cannot be."""
        waiting: _Waiting[Job, Result] = _Waiting(job, deadline, Future())
        with self._changed:
            self._admit(deadline)
            self._queue.append(waiting)
            self.pending_tokens += job.tokens
            self._changed.notify()
        return waiting.future

    def close(self) -> None:
        """Finish what is queued and stop the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _admit(self, deadline: float) -> None:
        wait_s = self.pending_tokens / self.tokens_per_s if self.tokens_per_s else 0.0
        if self._closed or len(self._queue) >= self._config.queue_jobs:
            msg = "the model server is stopping" if self._closed else "the model's queue is full"
            raise ModelUnavailable(msg, retry_after_s=max(1.0, wait_s))
        if self._clock() + wait_s > deadline:
            msg = f"the deadline cannot be met: {wait_s:.1f} s of work are waiting"
            raise ModelUnavailable(msg, retry_after_s=max(0.1, wait_s))

    def _loop(self) -> None:
        while batch := self._next_batch():
            ready = [waiting for waiting in batch if self._startable(waiting)]
            if ready:
                self._compute(ready)
            with self._changed:
                self.pending_tokens -= sum(waiting.job.tokens for waiting in batch)

    def _next_batch(self) -> list[_Waiting[Job, Result]]:
        """Wait for work; empty only when closed and drained."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            self._changed.wait_for(self._full, timeout=self._config.linger_s)
            batch: list[_Waiting[Job, Result]] = []
            room = self._config.batch_tokens
            while self._queue and len(batch) < self._config.batch_jobs:
                room -= self._queue[0].job.tokens
                if batch and room < 0:
                    break
                batch.append(self._queue.popleft())
            return batch

    def _full(self) -> bool:
        return self._closed or len(self._queue) >= self._config.batch_jobs

    def _startable(self, waiting: _Waiting[Job, Result]) -> bool:
        if not waiting.future.set_running_or_notify_cancel():
            return False
        if self._clock() > waiting.deadline:
            waiting.future.set_exception(ModelUnavailable("the deadline passed in the queue"))
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
        self._learn_pace(sum(waiting.job.tokens for waiting in ready), self._clock() - start)
        for waiting, result in zip(ready, results, strict=True):
            waiting.future.set_result(result)

    def _learn_pace(self, tokens: int, took_s: float) -> None:
        pace = tokens / max(took_s, 1e-6)
        self.tokens_per_s = pace if self.tokens_per_s is None else 0.8 * self.tokens_per_s + 0.2 * pace
