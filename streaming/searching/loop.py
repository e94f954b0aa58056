"""Keep a search index at the state of the store: read all records once, then follow the topic of feature records."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pipeline.search.index import SearchIndex
from schemas.codec import Codec
from schemas.errors import DecodeError
from schemas.records import FeatureRecord
from streaming.kafka.messages import Message
from streaming.searching.feed import FeatureFeed
from streaming.searching.metrics import SearchMetrics

log = logging.getLogger(__name__)

POLL_S = 0.2
#: Records between two looks at whether to stop.
STEP = 500


@dataclass(slots=True, kw_only=True)
class IndexLoop:
    """Feeds the index. The topic's end is noted before the store is read, so that no change falls between the two.

    `scan`: all records of the store, tombstones included; the index takes the newest of a posting.
    `clock`: UTC seconds.
    """

    index: SearchIndex
    feed: FeatureFeed
    scan: Callable[[], Iterator[FeatureRecord]]
    codec: Codec
    metrics: SearchMetrics
    turned: Callable[[], None] = lambda: None
    clock: Callable[[], float] = time.time
    loaded: bool = field(default=False, init=False)

    def run(self, stopped: Callable[[], bool]) -> None:
        """Load, then follow until `stopped()`. Raises StoreUnavailable while loading."""
        self.load(stopped)
        while not stopped():
            self.turn(stopped)

    def load(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Read every record of the store."""
        self.feed.begin()
        for number, record in enumerate(self.scan(), 1):
            self.index.put(record)
            if number % STEP == 0:
                self.turned()
                if stopped():
                    return
        self.loaded = True
        log.info("%d postings can be found", len(self.index))

    def turn(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Take what has arrived."""
        if self.feed.is_broken():
            log.warning("the topic of feature records was created anew: reading the store again")
            self.load(stopped)
        for message in self.feed.poll(POLL_S):
            self._take(message)
        self.metrics.show(self.index)
        self.turned()

    def _take(self, message: Message) -> None:
        """Put one record; one that cannot be read is counted (the matcher makes a dead letter of it)."""
        if message.value is None:
            self.index.drop((message.key or b"").decode(errors="replace"))
            self.metrics.features.labels("dropped").inc()
            return
        try:
            record = self.codec.decode(FeatureRecord, message.value)
        except DecodeError as error:
            log.warning("a feature record cannot be read: %s", error)
            self.metrics.features.labels("unreadable").inc()
            return
        self.metrics.features.labels("put" if self.index.put(record) else "dropped").inc()
        self.metrics.freshness_s.observe(max(0.0, self.clock() - message.timestamp_ms / 1000))
