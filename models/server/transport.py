"""Bytes in and patience: bounded bodies, and answers awaited until the deadline or the caller's hang-up."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from models.engine.batcher import Refused
from models.server.config import Limits
from models.server.requests import BadRequest

Result = TypeVar("Result")


class HungUp(Exception):
    """The caller is gone; nobody reads an answer."""


class Bodies:
    """Reads bodies, each within one request's limit and all that are in hand within the server's."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    @contextlib.asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """The body, counted while it is in use; BadRequest when it is too large or too slow, Refused beside too many."""
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
            raise HungUp from error

    def _check(self, chunks: Sequence[bytes]) -> None:
        if sum(map(len, chunks)) > self._limits.body_bytes:
            raise self._too_large()
        if self._held > self._limits.bodies_bytes:
            raise Refused("too many large requests at once", reason="bodies in hand")

    def _too_large(self) -> BadRequest:
        return BadRequest(f"the body is larger than {self._limits.body_bytes} bytes", status=413)


async def finish(request: Request, futures: Sequence[Future[Result]], deadline: float) -> list[Result]:
    """All results, in order; what has not begun is cancelled when nobody waits for it any more."""
    results: asyncio.Future[list[Result]] = asyncio.gather(*map(asyncio.wrap_future, futures))
    gone = asyncio.ensure_future(_hang_up(request))
    ends: set[asyncio.Future[Any]] = {results, gone}
    try:
        await asyncio.wait(ends, timeout=deadline - time.monotonic(), return_when=asyncio.FIRST_COMPLETED)
        if results.done():
            return results.result()
        if gone.done():
            raise HungUp
        raise Refused("the deadline passed", reason="deadline passed")
    finally:
        gone.cancel()
        for future in futures:
            future.cancel()
        if not results.done():
            results.cancel()
            results.add_done_callback(lambda ended: ended.cancelled() or ended.exception())


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
