"""What the handlers share: limits, metrics, the requests in hand, and the way from a handler to a route."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from fastapi import Request, Response

from models.server.answers import Content, answered
from models.server.config import Limits
from models.server.deadline import deadline_of
from models.server.in_hand import InHand
from models.server.metrics import ServerMetrics
from models.server.transport import BodyReader

SMALL_BODY = 65_536
"""Bytes up to which a body is parsed on the event loop, in 1 or 2 ms; a larger one is parsed in a thread."""

Handler = Callable[[Request, float], Awaitable[Content]]
"""Answers a request by its deadline (of the monotonic clock)."""
Given = ParamSpec("Given")
Made = TypeVar("Made")


class Shared:
    """The state that all handlers of one server work on."""

    def __init__(self, limits: Limits, metrics: ServerMetrics) -> None:
        self.limits, self.metrics = limits, metrics
        self.bodies, self.in_hand = BodyReader(limits), InHand()

    def answering(
        self, route: str, handler: Handler, *, nested: bool = False
    ) -> Callable[[Request], Awaitable[Response]]:
        """Wrap a handler: a failure becomes the answer to its own request, and each answer is counted and timed."""
        self.metrics.expect(route)

        async def handle(request: Request) -> Content:
            return await handler(request, deadline_of(request, self.limits.deadline_s))

        async def answer(request: Request) -> Response:
            start = time.monotonic()
            response, refusal = await answered(request, handle, nested=nested)
            self.metrics.observe(route, response.status_code, refusal, time.monotonic() - start)
            return response

        return answer


async def in_thread_if(
    slow: bool, work: Callable[Given, Made], *args: Given.args, **kwargs: Given.kwargs
) -> Made:
    """Run `work` in a thread if it is slow, else right here."""
    return await asyncio.to_thread(work, *args, **kwargs) if slow else work(*args, **kwargs)
