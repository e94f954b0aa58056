"""The priority of a request: the one that its body gives, else that of the traffic class in its header."""

from __future__ import annotations

from fastapi import Request

from models.server.requests import BadRequest
from schemas.traffic import TRAFFIC_HEADER, traffic_class


def priority_of(request: Request, given: int | None) -> int:
    """Return the priority, higher = sooner; BadRequest for a class that is none. 0 in a body counts as not given."""
    label = request.headers.get(TRAFFIC_HEADER)
    if given or label is None:
        return given or 0
    try:
        return int(traffic_class(label))
    except ValueError as error:
        raise BadRequest(f"{TRAFFIC_HEADER}: {error}") from error
