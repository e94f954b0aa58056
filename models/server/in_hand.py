"""The requests that are being answered, by the id that their callers gave, so that they can be aborted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from models.server.requests import BadRequest

Aborted = asyncio.Future[None]
"""Done once the request is aborted."""


class InHand:
    """Knows every request from its parsed body to its answer. Used by the event loop's thread alone."""

    def __init__(self) -> None:
        self._of: dict[object, Aborted] = {}

    @contextlib.contextmanager
    def holding(self, rid: str | None) -> Iterator[Aborted]:
        """Know a request while it is answered; BadRequest if another one in hand has its id."""
        key: object = object() if rid is None else rid
        if key in self._of:
            raise BadRequest(f"rid {rid!r} is in use: a request with this id is being answered")
        self._of[key] = aborted = asyncio.get_running_loop().create_future()
        try:
            yield aborted
        finally:
            del self._of[key]

    def abort(self, rid: str | None) -> None:
        """Abort the request with this id, or all with None; an id that nobody has, or no longer, changes nothing."""
        found = self._of.values() if rid is None else filter(None, [self._of.get(rid)])
        for aborted in found:
            if not aborted.done():
                aborted.set_result(None)
