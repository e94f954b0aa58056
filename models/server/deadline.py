"""The deadline of a request, from its headers and the server's limit."""

from __future__ import annotations

import math
import time

from fastapi import Request

from models.server.openapi import DEADLINE_HEADER, TTL_HEADER
from models.server.requests import BadRequest


def deadline_of(request: Request, limit_s: float) -> float:
    """Return the monotonic time by which a request is answered; BadRequest for a header that gives no time."""
    wait_s, ttl_s = _seconds(request, DEADLINE_HEADER), _seconds(request, TTL_HEADER)
    if ttl_s is not None and ttl_s < 0:
        raise BadRequest(f"{TTL_HEADER} must not be negative")
    return time.monotonic() + min([limit_s, *(one for one in (wait_s, ttl_s) if one is not None)])


def _seconds(request: Request, header: str) -> float | None:
    """Return a header's milliseconds in seconds, or None without it; BadRequest for what is no finite number."""
    text = request.headers.get(header)
    if text is None:
        return None
    try:
        left_s = float(text) / 1000
    except ValueError as error:
        raise BadRequest(f"{header} must be a number of milliseconds") from error
    if not math.isfinite(left_s):
        raise BadRequest(f"{header} must be finite")
    return left_s
