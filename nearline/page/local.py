"""The page over a stream that is replayed in this process: no Kafka, no Flink, the same functions and texts.

For a first look, for screenshots, and for tests of what a person sees.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from threading import Lock

from typing_extensions import override

from models.ranker import Ranker
from models.summarizer import Summarizer
from nearline.page.desk import MOST_LETTERS, Desk, Read, read
from nearline.page.feed import Feed
from pipeline.explain import Explainer, Explanation
from pipeline.featurize import SourceRow
from pipeline.local import LocalPath
from pipeline.scoring.cached import CachedScorer
from schemas.codec import Codec, encode
from schemas.errors import ConfigError
from schemas.events import BrokenLine
from schemas.records import Alert, FeatureRecord, PostingUpdate, SavedSearch
from storage.base import KeyValue
from storage.features import FeatureStore
from storage.ledger import AlertLedger
from storage.scores import ScoreCache
from streaming.alerting.messages import alert_message
from streaming.features.messages import row
from streaming.kafka import topics
from streaming.kafka.messages import Message
from streaming.tools.dead_letters import SentBack, StoredLetter, is_whole, stored

Event = PostingUpdate | BrokenLine
MOST_AT_ONCE = 16
"""Updates of one step: what a tiny summarizer writes within a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What is replayed, and how fast; `rate_per_s` 0 means as fast as the models go."""

    events: Iterable[Event]
    searches: Iterable[SavedSearch]
    rate_per_s: float = 0.0


class LocalStage(Feed, Desk):
    """Replays a stream as it is polled, and answers questions about what was replayed so far."""

    def __init__(
        self,
        replay: Replay,
        kv: KeyValue,
        summarizer: Summarizer,
        ranker: Ranker,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock, self._sleep, self._rate = clock, sleep, replay.rate_per_s
        self._waiting = deque(replay.events)
        self._searches = {one.search_id: one for one in replay.searches}
        self._path = LocalPath(kv, summarizer, ranker, clock=clock)
        self._path.subscribe(self._searches.values())
        scorer = CachedScorer(ranker, ScoreCache(kv, clock=clock))
        self._explainer = Explainer(FeatureStore(kv), scorer, AlertLedger(kv))
        self._letters = dict[int, StoredLetter]()
        self._offsets = {
            name: count() for name in (topics.FEATURES.name, topics.ALERTS.name, topics.DLQ.name)
        }
        self._sent, self._begun_s, self._codec, self._lock = 0, clock(), Codec(), Lock()

    def records(self) -> Iterator[FeatureRecord]:
        """Every record that was replayed so far, for a search."""
        return self._path.features.scan()

    def alerts(self) -> Sequence[Alert]:
        """The alerts of the replay so far."""
        return self._path.report.alerts

    @override
    def poll(self, timeout_s: float) -> list[Message]:
        """Process the events that are due, at most MOST_AT_ONCE; without any, wait."""
        due = [self._waiting.popleft() for _ in range(min(self._due(), len(self._waiting)))]
        if not due:
            self._sleep(timeout_s)
            return []
        self._sent += len(due)
        with self._lock:
            return self._process(due)

    @override
    def close(self) -> None:
        """Nothing is open."""

    @override
    def posting(self, posting_id: str) -> Read | None:
        return read(self._path.features, posting_id)

    @override
    def pair(self, search_id: str, posting_id: str) -> Explanation:
        """Wait for the step that is under way, because the ranker is one."""
        if (search := self._searches.get(search_id)) is None:
            raise ConfigError(f"no saved search {search_id!r} among the {len(self._searches)} of this replay")
        with self._lock:
            made = self._explainer.explain(search, posting_id)
        if made.record is None:
            raise ConfigError(f"no posting {posting_id!r} was replayed yet, or the id is wrong")
        return made

    @override
    def letters(self) -> Sequence[StoredLetter]:
        return list(self._letters.values())[: -MOST_LETTERS - 1 : -1]

    @override
    def letter(self, partition: int, offset: int) -> StoredLetter:
        if partition or offset not in self._letters:
            raise ConfigError(f"no dead letter at {topics.DLQ.name}/{partition}/{offset}")
        return self._letters[offset]

    @override
    def replay(self, first: int, last: int | None) -> SentBack:
        """Put the letters' bytes before the events that wait."""
        with self._lock:
            found = [one for at, one in self._letters.items() if first <= at and (last is None or at <= last)]
            fresh = [one for one in found if not one.replayed]
            due = [one for one in fresh if is_whole(one.letter)]
            for one in due:
                self._letters[one.offset] = one._replace(replayed=True)
                self._waiting.appendleft(
                    BrokenLine(number=0, data=one.letter.value, reason=one.letter.reason)
                )
        return SentBack(len(due), len(found) - len(fresh), len(fresh) - len(due))

    def _due(self) -> int:
        by_now = len(self._waiting) if not self._rate else int((self._clock() - self._begun_s) * self._rate)
        return max(0, min(MOST_AT_ONCE, by_now - self._sent if self._rate else by_now))

    def _process(self, events: Sequence[Event]) -> list[Message]:
        before, began = len(self._path.report.alerts), self._now_ms()
        outcomes = self._path.push(events)
        first = self._sent - len(events)
        rows = [
            row(
                SourceRow(_bytes(event), topics.UPDATES.name, 0, first + n, began),
                None,
                outcome,
                features=topics.FEATURES.name,
                dlq=topics.DLQ.name,
            )
            for n, (event, outcome) in enumerate(zip(events, outcomes, strict=True))
        ]
        found = [self._message(topic, key, value, dict(headers)) for topic, key, value, headers in rows]
        return found + [self._alerted(alert) for alert in self._path.report.alerts[before:]]

    def _alerted(self, alert: Alert) -> Message:
        sent = alert_message(alert, self._codec)
        return self._message(sent.topic, sent.key, sent.value, dict(sent.headers))

    def _message(
        self, topic: str, key: bytes | None, value: bytes | None, headers: dict[str, bytes]
    ) -> Message:
        made = Message(topic, 0, next(self._offsets[topic]), self._now_ms(), key, value, headers)
        if topic == topics.DLQ.name:
            self._letters[made.offset] = stored(made, set())
        return made

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def _bytes(event: Event) -> bytes:
    return event.data if isinstance(event, BrokenLine) else encode(event)
