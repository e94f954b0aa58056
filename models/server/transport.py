"""Read request bodies within limits, and await results until the deadline or until the caller disconnects."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from models.engine.batcher import JobRefused
from models.server.config import Limits
from models.server.in_hand import Aborted
from models.server.requests import BadRequest

Result = TypeVar("Result")


class ClientDisconnected(Exception):
    """The caller closed the connection: nobody reads the answer."""


class RequestAborted(JobRefused):
    """Somebody aborted the request by its id, or all requests."""

    def __init__(self) -> None:
        super().__init__("the request was aborted", reason="aborted")


class BodyReader:
    """Reads bodies within two limits: the bytes of one body, and of all bodies that are in use at once."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    @contextlib.asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """Yield the body. BadRequest if it is too large or slow, JobRefused if all in use are too large together."""
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._limits.body_bytes:
            raise self._too_large()
        chunks: list[bytes] = []
        try:
            await self._fill(chunks, request)
            yield b"".join(chunks)
        finally:
            self._held -= sum(map(len, chunks))

    async def _fill(self, chunks: list[bytes], request: Request) -> None:
        try:
            async with asyncio.timeout(self._limits.deadline_s):
                async for chunk in request.stream():
                    self._held += len(chunk)
                    chunks.append(chunk)
                    self._check(chunks)
        except TimeoutError as error:
            raise BadRequest("the request's body did not arrive in time", status=408) from error
        except ClientDisconnect as error:
            raise ClientDisconnected from error

    def _check(self, chunks: Sequence[bytes]) -> None:
        if sum(map(len, chunks)) > self._limits.body_bytes:
            raise self._too_large()
        if self._held > self._limits.bodies_bytes:
            raise JobRefused("too many large requests at once", reason="bodies in hand")

    def _too_large(self) -> BadRequest:
        return BadRequest(f"the body is larger than {self._limits.body_bytes} bytes", status=413)


async def finish(
    request: Request,
    futures: Sequence[Future[Result]],
    deadline: float,
    aborted: Aborted,
    give_up: Callable[[], None],
) -> list[Result]:
    """Return all results, in order; call `give_up` if they do not come.

    JobRefused if the deadline passes, RequestAborted, or ClientDisconnected if nobody is left to read the answer.
    """
    results: asyncio.Future[list[Result]] = asyncio.gather(*map(asyncio.wrap_future, futures))
    gone = asyncio.ensure_future(_disconnect(request))
    ends: set[asyncio.Future[Any]] = {results, gone, aborted}
    try:
        await asyncio.wait(ends, timeout=deadline - time.monotonic(), return_when=asyncio.FIRST_COMPLETED)
        if results.done():
            return results.result()
        if aborted.done():
            raise RequestAborted
        if gone.done():
            raise ClientDisconnected
        raise JobRefused("the deadline passed", reason="deadline passed")
    finally:
        gone.cancel()
        if not (results.done() and not results.cancelled() and results.exception() is None):
            give_up()
        if not results.done():
            results.cancel()
            results.add_done_callback(lambda ended: ended.cancelled() or ended.exception())


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
