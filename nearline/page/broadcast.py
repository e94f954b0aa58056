"""Events for any number of browsers: a ring of the newest ones, and for each browser how far in it that browser is.

A browser's queue is the part of the ring that it has not read, so that it is bounded, costs no memory a browser, and
loses its oldest events first. A browser that was away or is too slow is told how much it missed.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

KEPT = 512
"""Events in the ring: about a minute of a busy system, whose topics make at most four events a second each."""


class Place(NamedTuple):
    """How far a browser is: the number of its last event, and the items that all events up to it brought."""

    number: int
    items: int


class PageEvent(NamedTuple):
    """One event: what kind it is, what it says, the items that it brings, and its place."""

    kind: str
    data: Mapping[str, Any]
    brings: int
    place: Place


class Broadcast:
    """Takes events in and hands each to every browser; all calls come from the thread of one event loop.

    `run`: a name of this process, part of each event's id, because another process numbers its events anew.
    """

    def __init__(self, *, kept: int = KEPT, run: str = "") -> None:
        self._run = run or secrets.token_hex(4)
        self._ring: deque[PageEvent] = deque(maxlen=kept)
        self._end = Place(0, 0)
        self._news = asyncio.Event()
        #: browsers that follow now
        self.followers = 0

    def publish(self, kind: str, data: Mapping[str, Any], *, brings: int = 0) -> None:
        """Add an event that brings this many items, and wake the browsers."""
        self._end = Place(self._end.number + 1, self._end.items + brings)
        self._ring.append(PageEvent(kind, data, brings, self._end))
        self._news.set()
        self._news = asyncio.Event()

    def name(self, place: Place) -> str:
        """An event's id, which a browser gives back as `Last-Event-ID` when it connects again."""
        return f"{self._run}-{place.number}-{place.items}"

    async def follow(self, last_id: str = "") -> AsyncIterator[PageEvent]:
        """All events that are kept and those to come, without end; behind `last_id` if a browser gives one.

        Before an event that follows on lost ones comes a `missed`: {events, items}. After an id of another process, or
        one that is no id, comes `restarted` and then all that is kept.
        """
        at = self._place(last_id) if last_id else None
        if at is None and last_id:
            yield PageEvent("restarted", {}, 0, Place(0, 0))
        self.followers += 1
        try:
            async for event in self._behind(at or self._begin()):
                yield event
        finally:
            self.followers -= 1

    async def _behind(self, at: Place) -> AsyncIterator[PageEvent]:
        while True:
            news, event = self._news, self._next(at.number)
            if event is None:
                await news.wait()
                continue
            if event.place.number > at.number + 1:
                yield _missed(at, event)
            yield event
            at = event.place

    def _next(self, number: int) -> PageEvent | None:
        """The oldest kept event behind this number."""
        if number >= self._end.number:
            return None
        return self._ring[max(0, number + 1 - self._ring[0].place.number)]

    def _begin(self) -> Place:
        """The place before the oldest event that is kept."""
        if not self._ring:
            return self._end
        oldest = self._ring[0]
        return Place(oldest.place.number - 1, oldest.place.items - oldest.brings)

    def _place(self, last_id: str) -> Place | None:
        """The place that an id names; None if this process never gave out that id."""
        run, number, items = (*last_id.split("-"), "", "")[:3]
        if run != self._run or not (number.isdecimal() and items.isdecimal()):
            return None
        place = Place(int(number), int(items))
        return place if place.number <= self._end.number and place.items <= self._end.items else None


def _missed(at: Place, event: PageEvent) -> PageEvent:
    """What says that everything between a place and the next event is no longer kept."""
    lost = Place(event.place.number - 1, event.place.items - event.brings)
    return PageEvent("missed", {"events": lost.number - at.number, "items": lost.items - at.items}, 0, lost)
