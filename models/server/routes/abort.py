"""POST /abort_request: end one request by the id that its caller gave, or all of them."""

from __future__ import annotations

from fastapi import Request, Response

from models.server.requests import AbortBody, parse
from models.server.routes.shared import Shared

ABORT = "/abort_request"


class AbortRoute:
    """Aborts requests that the other handlers have in hand."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def abort(self, request: Request, _deadline: float) -> Response:
        """POST /abort_request: answered 200 whether or not a request has the id, as SGLang does."""
        async with self._shared.bodies.read(request) as body:
            asked = parse(AbortBody, body)
        self._shared.in_hand.abort(None if asked.abort_all else asked.rid)
        return Response()
