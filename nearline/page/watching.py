"""The loops behind the page: read the topics and the metrics, and publish what is new."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from nearline.page.broadcast import KEPT, Broadcast
from nearline.page.feed import Feed
from nearline.page.messages import arrived
from nearline.page.readings import readings
from nearline.top.history import History
from nearline.top.pages import Look
from schemas.backoff import Backoff
from schemas.codec import Codec
from schemas.errors import NearlineError

POLL_S = 0.25
"""How long messages are collected before browsers are told: what people call live."""
LOOK_S = 2.0
_BACKOFF = Backoff(first_s=0.5, longest_s=10.0)
log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Watching:
    """Reads a feed and metrics in threads, and publishes in the event loop's thread."""

    feed: Feed
    codec: Codec
    look: Callable[[], Look]
    broadcast: Broadcast
    totals: Counter[str] = field(default_factory=Counter)

    async def topics(self) -> None:
        """Publish what arrives on the topics, without end; while they cannot be read, say so and try again."""
        failures = 0
        while True:
            try:
                await self._read_once()
                if failures:
                    self.broadcast.publish("reading", {"why": ""})
                failures = 0
            except NearlineError as error:
                failures += 1
                if failures == 1:
                    log.warning("%s", error)
                    self.broadcast.publish("reading", {"why": str(error)})
                await asyncio.sleep(_BACKOFF.wait_s(failures))

    async def figures(self) -> None:
        """Publish the system's figures every LOOK_S while a browser watches, without end."""
        history = History()
        while True:
            if self.broadcast.followers:
                history.add(await asyncio.to_thread(self.look))
                self.broadcast.publish("figures", readings(history))
            await asyncio.sleep(LOOK_S if self.broadcast.followers else POLL_S)

    async def _read_once(self) -> None:
        started = time.monotonic()
        messages = await asyncio.to_thread(self.feed.poll, POLL_S)
        for kind, items, number in arrived(messages, self.codec):
            self.totals[kind] += number
            left_out = number - len(items)
            data = {"items": items, "left_out": left_out, "total": self.totals[kind]}
            self.broadcast.publish(kind, data, brings=number)
        if messages:
            await asyncio.sleep(max(0.0, POLL_S - (time.monotonic() - started)))


def watching(feed: Feed, codec: Codec, look: Callable[[], Look], *, kept: int = KEPT) -> Watching:
    """What one page watches, with a broadcast of its own that keeps so many events."""
    return Watching(feed=feed, codec=codec, look=look, broadcast=Broadcast(kept=kept))
