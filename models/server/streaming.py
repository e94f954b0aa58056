"""A completion as server-sent events in OpenAI's form: the text as it grows, then the ends, the usage and `[DONE]`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from functools import partial
from typing import Any

import orjson

from models.engine.base import Generated, GenerateJob
from models.server.answers import error_body, failure
from models.server.complete import choice, completion_usage

DONE = b"data: [DONE]\n\n"
Results = Coroutine[Any, Any, list[Generated]]


class Growing:
    """The texts of one request's continuations, from the model's thread to the event loop."""

    def __init__(self, jobs: Sequence[GenerateJob]) -> None:
        """Listen to the jobs; done before they are submitted."""
        self._loop = asyncio.get_running_loop()
        self._heard: asyncio.Queue[tuple[int, str] | None] = asyncio.Queue()
        self._sent = [""] * len(jobs)
        for index, job in enumerate(jobs):
            job.course.on_text = partial(self._hear, index)

    def _hear(self, index: int, text: str, _tokens: int) -> None:
        self._loop.call_soon_threadsafe(self._heard.put_nowait, (index, text))

    def rest(self, index: int, text: str) -> str:
        """Return what has not been sent of a text; ValueError if it does not begin with what was sent."""
        sent = self._sent[index]
        if not text.startswith(sent):
            raise ValueError("the text changed while it was computed again after a failure")
        self._sent[index] = text
        return text[len(sent) :]

    async def pieces(self, work: asyncio.Future[list[Generated]]) -> AsyncGenerator[tuple[int, str], None]:
        """Yield each new piece of a text with the number of its prompt, until the work has ended."""
        work.add_done_callback(lambda _: self._heard.put_nowait(None))
        while (heard := await self._heard.get()) is not None:
            index, text = heard
            if len(text) > len(self._sent[index]) and (piece := self.rest(index, text)):
                yield index, piece


async def events(
    jobs: Sequence[GenerateJob],
    results: Results,
    growing: Growing,
    envelope: dict[str, Any],
    ended: Callable[[str], None],
    *,
    usage: bool,
) -> AsyncGenerator[bytes, None]:
    """Yield the events of one completion.

    A failure before the first event is raised, so that it gets a status of its own; a later one is an event, and
    `ended` is called with its reason. Closing the iterator ends the work.
    """
    work = asyncio.ensure_future(results)
    begun = False
    try:
        async for index, piece in growing.pieces(work):
            begun = True
            yield _event(envelope, [choice(index, piece, None)])
        for index, result in enumerate(work.result()):
            begun = True
            yield _event(envelope, [choice(index, growing.rest(index, result.text), result.finish_reason)])
        if usage:
            yield _event(envelope, [], completion_usage(jobs, work.result()))
    except Exception as error:
        if not begun:
            raise
        status, message, _, reason, _ = failure(error, "/v1/completions")
        ended(reason)
        yield _data({"error": error_body(status, message)})
    finally:
        work.cancel()
    yield DONE


def _event(
    envelope: dict[str, Any], choices: list[dict[str, Any]], usage: dict[str, Any] | None = None
) -> bytes:
    return _data({**envelope, "choices": choices, "usage": usage})


def _data(content: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(content) + b"\n\n"
