"""A request that has not ended, and what it looks up in the score cache."""

from __future__ import annotations

from zlib import crc32

from pipeline.control.work import Work
from pipeline.scoring.flights import Flight
from pipeline.simulation.traces import Request

Unit = tuple[bytes, int]
"""A key of the score cache, and how many candidates it stands for."""


class Asked:
    """A request from its arrival to its end.

    `pending` counts the parts of it that are still being scored, `expired` says that a server gave one of them up,
    `work` is what admission knows of it while it waits or is being scored.
    """

    __slots__ = ("ended", "expired", "kept", "pending", "request", "traffic", "units", "work")

    def __init__(self, request: Request, kept: int, page: int) -> None:
        """`kept`: candidates within the depth. `page`: see `SimulationSettings`."""
        self.request, self.traffic, self.kept = request, request.traffic, kept
        self.units = units(request, kept, page)
        self.pending = 0
        self.expired = self.ended = False
        self.work: Work[Asked | Refresh] | None = None


class Refresh:
    """A score that is computed anew while readers get the old one."""

    __slots__ = ("flight", "items", "request", "work")

    def __init__(self, request: Request, flight: Flight, items: int) -> None:
        self.request, self.flight, self.items = request, flight, items
        self.work: Work[Asked | Refresh] | None = None


Payload = Asked | Refresh


def units(request: Request, kept: int, page: int) -> list[Unit]:
    """Return the keys of the first `kept` candidates: one for each `page` numbers, or one for each name."""
    asked, query = request.candidates, request.query
    if not isinstance(asked, range):
        return [(f"{query}/{name}".encode(), 1) for name in asked[:kept]]
    at, number = asked.start, asked.start // page
    end = at + kept
    if end <= (number + 1) * page:
        return [(b"%s/%d" % (_text(query), number), kept)]
    found = []
    while at < end:
        number = at // page
        to = min(end, (number + 1) * page)
        found.append((b"%s/%d" % (_text(query), number), to - at))
        at = to
    return found


def _text(query: str | int) -> bytes:
    return b"%d" % query if isinstance(query, int) else query.encode()


def pairs_of(request: Request, items: int) -> float:
    """Return how many pairs of a token and an earlier one there are in prompts of so many items, the prefix's once."""
    prefix, own = request.prefix_tokens, request.item_tokens
    return prefix * prefix / 2 + items * own * (prefix + own / 2)


def prefix_of(query: str | int, tokens: int) -> bytes:
    """Return token ids, packed as the scheduler compares them, that no other query shares."""
    return crc32(_text(query)).to_bytes(4, "little") * tokens
