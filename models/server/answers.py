"""HTTP answers: JSON, and each failure in SGLang's or vLLM's form."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from fastapi import Request, Response
from starlette.exceptions import HTTPException

from models.engine.batcher import JobRefused
from models.server.requests import BadRequest
from models.server.transport import ClientDisconnected

log = logging.getLogger(__name__)

ERROR_TYPES = {
    404: "NotFoundError",
    413: "RequestTooLargeError",
    500: "InternalServerError",
    503: "ServiceUnavailableError",
}
REASONS = {400: "bad request", 404: "not found", 408: "slow body", 413: "body too large"}
FAILED = "the model failed on this request; the server's log says why"

Content = dict[str, Any] | Response
Failure = tuple[int, str, str, str, Mapping[str, str] | None]
"""Status, message, error type, reason for the metrics, headers."""


async def answered(
    request: Request, handle: Callable[[Request], Awaitable[Content]], *, nested: bool
) -> tuple[Response, str]:
    """Return the answer and, of a refused request, the reason for the metrics (else an empty string)."""
    try:
        content = await handle(request)
        return (content if isinstance(content, Response) else json_response(content)), ""
    except ClientDisconnected:
        return Response(status_code=499), "hung up"
    except Exception as error:  # noqa: BLE001  (no request may end the server)
        status, message, kind, reason, headers = failure(error, request.url.path)
        return error_response(status, message, headers, kind, nested=nested), reason


def failure(error: Exception, path: str) -> Failure:
    """Return how an error is answered; the traceback of one that nobody foresaw goes to the log."""
    if isinstance(error, BadRequest):
        return error.status, str(error), error.kind, REASONS[error.status], None
    if isinstance(error, ClientDisconnected):
        return 499, "nobody reads the answer", "", "hung up", None
    if isinstance(error, JobRefused):
        retry = {"Retry-After": str(math.ceil(error.retry_after_s))}
        return 503, str(error), "", error.reason, retry
    log.error("a request to %s failed", path, exc_info=error)
    return 500, FAILED, "", "model failed", None


def json_response(
    content: dict[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a JSON answer."""
    return Response(orjson.dumps(content), status, headers, "application/json")


def error_body(status: int, message: str, kind: str = "BadRequestError") -> dict[str, Any]:
    """Return an error in SGLang's form."""
    named = ERROR_TYPES.get(status, kind)
    return {"object": "error", "message": message, "type": named, "param": None, "code": status}


def error_response(
    status: int,
    message: str,
    headers: Mapping[str, str] | None = None,
    kind: str = "BadRequestError",
    *,
    nested: bool = False,
) -> Response:
    """Return an error in SGLang's form, or `nested` under `error` as vLLM and OpenAI have it."""
    body = error_body(status, message, kind)
    if nested:
        body = {"error": {name: body[name] for name in ("message", "type", "param", "code")}}
    return json_response(body, status, headers)


async def http_error(_request: Request, error: Exception) -> Response:
    """Answer what the routing refuses."""
    assert isinstance(error, HTTPException)  # noqa: S101  (the type it is registered for)
    return error_response(error.status_code, str(error.detail), error.headers)
