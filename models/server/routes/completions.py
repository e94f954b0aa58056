"""POST /v1/completions: from the request's body to its continuations, whole or as a stream."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from concurrent.futures import Future
from functools import partial

from fastapi import Request
from fastapi.responses import StreamingResponse

from models.engine.base import Generated, GenerateJob
from models.engine.batcher import Batcher
from models.server.answers import Content
from models.server.complete import completion_answer, envelope, generate_jobs
from models.server.in_hand import Aborted
from models.server.requests import CompletionBody, parse
from models.server.routes.shared import SMALL_BODY, Shared, in_thread_if
from models.server.service import ServedModels
from models.server.streaming import Growing, events
from models.server.traffic import priority_of
from models.server.transport import RequestAborted, finish

COMPLETE = "/v1/completions"
UNBUFFERED = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
ABORTED = Generated(text="", tokens=0, finish_reason="abort")


class CompletionRoute:
    """Answers with the summarizer's continuations, in OpenAI's form."""

    def __init__(self, served: ServedModels, shared: Shared) -> None:
        self._served, self._shared = served, shared

    async def complete(self, request: Request, deadline: float) -> Content:
        """POST /v1/completions, whole or as a stream."""
        summarizer, shared = self._served.need_summarizer(), self._shared
        with contextlib.ExitStack() as held:
            async with shared.bodies.read(request) as body:
                asked = await in_thread_if(len(body) > SMALL_BODY, parse, CompletionBody, body)
                summarizer.check_model(asked.model)
                aborted = held.enter_context(shared.in_hand.holding(asked.rid))
                jobs = await asyncio.to_thread(generate_jobs, asked, summarizer.engine, shared.limits)
            head = envelope(asked.rid, summarizer.engine.info.name, int(time.time()))
            priority = priority_of(request, asked.priority)
            results = self._generated(request, summarizer.batcher, jobs, deadline, priority, aborted)
            if not asked.stream:
                return completion_answer(jobs, await results, head)
            usage = asked.stream_options is not None and asked.stream_options.include_usage
            failed = partial(shared.metrics.count_ended, COMPLETE)
            stream = events(jobs, results, Growing(jobs), head, failed, usage=usage)
            first = await anext(stream)
            return StreamingResponse(
                _after(first, stream, held.pop_all()), media_type="text/event-stream", headers=UNBUFFERED
            )

    async def _generated(
        self,
        request: Request,
        batcher: Batcher[GenerateJob, Generated],
        jobs: Sequence[GenerateJob],
        deadline: float,
        priority: int,
        aborted: Aborted,
    ) -> list[Generated]:
        """Return the continuations; those of an aborted request are what there was of them."""
        futures = batcher.submit_many(jobs, deadline, priority)

        def give_up() -> None:
            for job in jobs:
                job.course.aborted = True
            batcher.withdraw(futures)

        try:
            results = await finish(request, futures, deadline, aborted, give_up)
        except RequestAborted:
            self._shared.metrics.count_ended(COMPLETE, "aborted")
            return await _remains(futures, deadline)
        self._shared.metrics.count_work(COMPLETE, len(jobs), sum(len(job.prompt) for job in jobs))
        return results


async def _remains(futures: Sequence[Future[Generated]], deadline: float) -> list[Generated]:
    """Return what there is of aborted continuations once those under way have ended at their next token."""
    under_way = [asyncio.wrap_future(future) for future in futures if not future.cancelled()]
    if under_way:
        await asyncio.wait(under_way, timeout=max(0.0, deadline - time.monotonic()))
    return [
        future.result() if future.done() and not future.cancelled() and not future.exception() else ABORTED
        for future in futures
    ]


async def _after(
    first: bytes, stream: AsyncGenerator[bytes, None], held: contextlib.ExitStack
) -> AsyncIterator[bytes]:
    """Yield the first event and the others; the request's id is in use until the last."""
    with held:
        async with contextlib.aclosing(stream):
            yield first
            async for event in stream:
                yield event
