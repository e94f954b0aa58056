"""One model server: the event loop that reads and answers requests, the production queue, and an engine behind it."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from models.engine.batcher import BatchConfig
from models.engine.scheduling.choosing import POLICIES
from models.engine.scheduling.member import Request as Waiting
from models.engine.scheduling.waiting_queue import Batch, WaitingQueue
from pipeline.simulation.clock import Agenda
from pipeline.simulation.report import BUSY, ServerFigures
from pipeline.simulation.series import Series
from pipeline.simulation.services import ServiceTimes


class Job:
    """Some items of one request, for one server; `payload` is the caller's."""

    __slots__ = ("deadline", "items", "own", "pairs", "payload", "prefix", "priority", "queued_at", "tokens")

    def __init__(
        self,
        *,
        prefix: bytes,
        items: int,
        tokens: float,
        priority: int,
        payload: Any,
        pairs: float = 0.0,
        deadline: float = math.inf,
    ) -> None:
        """`prefix`: the packed token ids that all items share; `tokens`: of the items beside it; `pairs`: of tokens."""
        self.prefix, self.items, self.own = prefix, items, max(1, round(tokens))
        self.priority, self.payload, self.deadline = priority, payload, deadline
        self.tokens, self.pairs = len(prefix) // 4 + self.own, pairs
        self.queued_at = 0.0


Done = Callable[[Job, bool], None]
"""Called with each job once: true when its scores are there, false when its deadline passed in the queue."""


class Server:
    """Takes jobs, computes them in batches, and calls `done` for each, and `waited(s)` when a batch takes one."""

    def __init__(
        self,
        agenda: Agenda,
        times: ServiceTimes,
        batching: BatchConfig,
        rng: random.Random,
        series: Series,
        done: Done,
        waited: Callable[[float], None],
    ) -> None:
        self._agenda, self._times, self._batching, self._rng = agenda, times, batching, rng
        self._series, self._done, self._waited = series, done, waited
        self._queue = WaitingQueue(POLICIES[batching.policy])
        self._loop_free_at = 0.0
        self._computing = False
        self._batches = self._jobs = self._extrapolated = 0
        self._tokens = 0.0
        self.busy_s = 0.0
        """How long its engine has computed, and will until the present batch ends."""
        self.busy_by_priority: dict[int, float] = defaultdict(float)
        """The same by the priority of the jobs: each has the part of its batch's time that it has of the tokens."""
        self.pending_tokens = 0

    def __len__(self) -> int:
        """Return how many jobs wait in the queue."""
        return len(self._queue)

    def submit(self, job: Job) -> None:
        """Send a job; `done` is called for it later, never from within."""
        self.pending_tokens += job.tokens
        way_s = self._times.way_s
        if way_s:
            self._agenda.add(self._agenda.clock.now + way_s / 2, self._arrive, job)
        else:
            self._arrive(job)

    def figures(self) -> ServerFigures:
        """Return what it did so far."""
        return ServerFigures(
            name=self._times.name,
            busy_s=self.busy_s,
            batches=self._batches,
            jobs=self._jobs,
            tokens=self._tokens,
            extrapolated=self._extrapolated,
        )

    def _serve(self, seconds: float) -> float:
        """Have the event loop work so long, after what it has to do already; returns when it is done."""
        self._loop_free_at = max(self._agenda.clock.now, self._loop_free_at) + seconds
        return self._loop_free_at

    def _arrive(self, job: Job) -> None:
        self._agenda.add(self._serve(self._times.request_s), self._enqueue, job)

    def _enqueue(self, job: Job) -> None:
        job.queued_at = self._agenda.clock.now
        waiting = Waiting(job, prefix=job.prefix, own=job.own, deadline=job.deadline)
        self._queue.add([waiting], job.priority)
        if not self._computing:
            self._begin()

    def _begin(self) -> None:
        now, limits = self._agenda.clock.now, self._batching
        batch = self._queue.next_batch(now, tokens=limits.batch_tokens, requests=limits.batch_jobs)
        for waiting in batch.expired:
            self._answer(waiting.payload, computed=False)
        if batch.requests:
            self._compute(batch, now)

    def _compute(self, batch: Batch, now: float) -> None:
        items, pairs, tokens = 0, 0.0, dict[int, int]()
        for waiting in batch.requests:
            job: Job = waiting.payload
            items += job.items
            pairs += job.pairs
            tokens[job.priority] = tokens.get(job.priority, 0) + job.tokens
            self._waited(now - job.queued_at)
        seconds = self._times.batch_seconds(
            len(batch.requests), items, batch.computed_tokens, self._rng, pairs
        )
        self._computing = True
        self._batches += 1
        self._jobs += len(batch.requests)
        self._tokens += batch.computed_tokens
        self._extrapolated += 0 < self._times.most_tokens < batch.computed_tokens
        self.busy_s += seconds
        a_token_s = seconds / sum(tokens.values())
        for priority, count in tokens.items():
            self.busy_by_priority[priority] += a_token_s * count
        self._series.cover(BUSY, now, now + seconds)
        self._agenda.add(now + seconds, self._end, batch)

    def _end(self, batch: Batch) -> None:
        self._computing = False
        for waiting in batch.requests:
            self._answer(waiting.payload, computed=True)
        if len(self._queue):
            self._begin()

    def _answer(self, job: Job, *, computed: bool) -> None:
        self.pending_tokens -= job.tokens
        times = self._times
        at = self._serve(times.answer_s) + times.way_s / 2
        self._agenda.add(at, self._computed if computed else self._expired, job)

    def _computed(self, job: Job) -> None:
        self._done(job, True)

    def _expired(self, job: Job) -> None:
        self._done(job, False)
