"""Send texts one request each, as many at a time as the server keeps up with, and wait for accepted ones over calls.

A request that the server has accepted is never given up because its caller's deadline has passed: it goes on, and the
next call with the same text waits for it instead of sending the text again. So a server that is slower than its
callers' deadlines does no work twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from models.client.limiter import Sent, TextLimiter
from models.client.responses import RequestLate, ServerBusy
from schemas.errors import ModelRejected, ModelUnavailable

Result = TypeVar("Result")
Request = Callable[[Sent], Awaitable[Result]]
"""Sends one text, which the limiter knows as the argument; raises ModelUnavailable or ModelRejected."""

KEPT = 4_096
"""Most requests whose callers are gone; the oldest is cancelled for the next one."""


class TextSender(Generic[Result]):
    """Sends texts within the limit of `limiter`; to be used on one event loop, whose time is the limiter's clock."""

    def __init__(self, limiter: TextLimiter, *, attempts: int, retry_busy: bool) -> None:
        """`attempts`: most refusals of one text, or of rounds of texts in a row, before a call gives up."""
        self._limiter, self._attempts = limiter, attempts if retry_busy else 1
        self._retry_busy = retry_busy
        self._running: dict[Hashable, asyncio.Task[Result]] = {}
        self._changed = asyncio.Condition()

    async def ask(self, key: Hashable, request: Request[Result], deadline: float) -> Result:
        """Return the answer for a text by `deadline` (loop time); raises ModelUnavailable or ModelRejected.

        Texts with one `key` are one text: a request for it that is under way, or was answered after its call, is used.
        """
        for refusals in range(1, self._attempts + 1):
            task = self._running.get(key) or await self._start(key, request, deadline)
            try:
                return await self._result(key, task, deadline)
            except ServerBusy:
                if refusals == self._attempts or self._limiter.refusals >= self._attempts:
                    raise
        raise AssertionError  # the last refusal is raised

    def begin(self) -> None:
        """Begin a call: refusals of the one before count no longer."""
        self._limiter.refusals = 0

    def close(self) -> None:
        """Cancel what is under way."""
        for task in self._running.values():
            task.cancel()
        self._running.clear()

    async def _result(self, key: Hashable, task: asyncio.Task[Result], deadline: float) -> Result:
        """Wait for a request until `deadline`; after that it goes on by itself, and its answer is kept."""
        done, _ = await asyncio.wait({task}, timeout=max(0.0, deadline - _now()))
        if not done:
            raise ModelUnavailable("the server has accepted the text and gave no answer within the deadline")
        self._running.pop(key, None)
        return task.result()

    async def _start(self, key: Hashable, request: Request[Result], deadline: float) -> asyncio.Task[Result]:
        sent = await self._room(deadline)
        task = asyncio.create_task(self._run(request, sent))
        self._running[key] = task
        task.add_done_callback(lambda ended: self._forget_failure(key, ended))
        if len(self._running) > KEPT:
            self._running.pop(next(iter(self._running))).cancel()
        return task

    def _forget_failure(self, key: Hashable, ended: asyncio.Task[Result]) -> None:
        if (ended.cancelled() or ended.exception()) and self._running.get(key) is ended:
            del self._running[key]

    async def _room(self, deadline: float) -> Sent:
        """Wait until one more text may be sent; ModelUnavailable if its answer would come after the deadline."""
        async with self._changed:
            while not self._limiter.has_room():
                self._check_time(deadline)
                await self._change(deadline)
            self._check_time(deadline)
            return self._limiter.send()

    def _check_time(self, deadline: float) -> None:
        limiter = self._limiter
        if limiter.refusals >= self._attempts:
            raise ModelUnavailable("not sent: the server has refused everything so far")
        paused = limiter.resumes_at > deadline and not limiter.in_flight  # an answer would end the pause
        if _now() >= deadline or limiter.too_late(deadline) or paused:
            limiter.withheld()
            raise ModelUnavailable("not sent: the server would not answer within the deadline")

    async def _change(self, deadline: float) -> None:
        """Wait until a request ends, the pause after a refusal is over, or the deadline."""
        resumes_at = self._limiter.resumes_at
        until = min(deadline, resumes_at) if resumes_at > _now() else deadline
        try:
            async with asyncio.timeout_at(until):
                await self._changed.wait()
        except TimeoutError:
            pass

    async def _run(self, request: Request[Result], sent: Sent) -> Result:
        try:
            result = await request(sent)
        except ServerBusy as error:
            self._refused(sent, error)
            raise
        except RequestLate:
            self._limiter.late(sent)
            raise
        except ModelRejected:
            self._limiter.failed(sent)
            raise
        else:
            self._limiter.answered(sent)
            return result
        finally:
            self._limiter.failed(sent)
            async with self._changed:
                self._changed.notify_all()

    def _refused(self, sent: Sent, error: ServerBusy) -> None:
        if self._retry_busy:  # a caller that paces itself slows down by itself
            self._limiter.refused(sent, error.retry_after_s)


def _now() -> float:
    return asyncio.get_running_loop().time()
