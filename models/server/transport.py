"""Bytes in and patience: bounded bodies, and answers awaited until the deadline or the caller's hang-up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from models.server.config import Limits
from models.server.requests import BadRequest
from schemas.errors import ModelUnavailable

Result = TypeVar("Result")

SWALLOWED = 8
"""Multiples of the body limit that are read and dropped, so that most callers see why they are refused."""


class HungUp(Exception):  # noqa: N818
    """The caller is gone; nobody reads an answer."""


async def read_body(request: Request, limits: Limits) -> bytes:
    """The body; BadRequest when it is too large or too slow."""
    try:
        async with asyncio.timeout(limits.default_deadline_s):
            return await _read(request, limits.body_bytes)
    except TimeoutError as error:
        raise BadRequest("the request's body did not arrive in time", status=408) from error
    except ClientDisconnect as error:
        raise HungUp from error


async def _read(request: Request, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        if size > SWALLOWED * limit:
            break
    if size > limit:
        msg = f"the body is larger than {limit} bytes"
        raise BadRequest(msg, status=413)
    return b"".join(chunks)


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
        raise ModelUnavailable("the deadline passed")
    finally:
        gone.cancel()
        if not results.done():
            results.cancel()
            results.add_done_callback(lambda ended: ended.cancelled() or ended.exception())


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
