"""The matcher's loop: saved searches and features in, score requests out, effects before offsets."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pipeline.match import Matcher
from pipeline.windows import Windows
from schemas.codec import Codec
from schemas.errors import DecodeError, StoreError
from schemas.records import Candidate, FeatureRecord, SavedSearch, ScoreRequest
from streaming.kafka.messages import Message, dead_letter
from streaming.matching.log import FeatureLog, Progress
from streaming.matching.messages import request_messages
from streaming.matching.metrics import MatcherMetrics
from streaming.matching.store_pass import StorePass
from streaming.searches.feed import SearchFeed
from streaming.searches.table import Bad, Dropped, Held, Offsets, SearchTable, is_since

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """`commit_s` bounds how much is read again after a crash; `max_met` postings of the store are met a turn.

    `retry_s`: a store that cannot be read delays new searches' first meeting, not the matching of what arrives.
    """

    poll_s: float = 0.1
    commit_s: float = 1.0
    retry_s: float = 5.0
    max_met: int = 500


@dataclass(slots=True, kw_only=True)
class MatchLoop:
    """Turns features into score requests until stopped; safe to kill at any moment.

    A request may be produced twice (the alert ledger keeps a pair from alerting twice); none is ever lost, because
    offsets are committed only after every window that holds their candidates is out and acknowledged.
    """

    feed: SearchFeed
    features: FeatureLog
    matcher: Matcher
    windows: Windows
    stored: Callable[[], Iterator[FeatureRecord]]
    metrics: MatcherMetrics
    settings: LoopSettings = field(default_factory=LoopSettings)
    codec: Codec = field(default_factory=Codec)
    clock: Callable[[], float] = time.time
    table: SearchTable = field(init=False)
    progress: dict[int, Progress] = field(default_factory=dict)
    _store_pass: StorePass | None = None
    _dirty: bool = False
    _next_commit_s: float = 0.0
    _next_meeting_s: float = 0.0

    def __post_init__(self) -> None:
        self.table = SearchTable(self.codec)

    def run(self, stopped: Callable[[], bool]) -> None:
        """Read all searches, then turn until `stopped()`; leave nothing waiting.

        Raises RegistryUnavailable for a schema id that nobody can look up now: nothing is committed, a restart reads
        on.
        """
        # 1. every search there is, before the first feature
        self._take_searches(self.feed.read_to_end(stopped))
        log.info("holding %d saved searches", len(self.table.held))
        self._next_commit_s = self.clock() + self.settings.commit_s
        while not stopped():
            self.turn()
        self._commit(self.clock())

    def turn(self) -> None:
        """One round of the loop."""
        # 2. what users changed
        self._take_searches(self.feed.poll())
        # 3. what postings became
        messages = self.features.poll(self._patience_s())
        now_s = self.clock()
        self._take_over(self.features.assignment(), now_s)
        for message in messages:
            self._take_feature(message, now_s)
        # 4. new searches meet the postings already stored
        self._meet(now_s)
        # 5. windows that ended leave as score requests
        self._produce(self.windows.due(now_s))
        # 6. offsets, once everything they stand for is out
        if self._dirty and now_s >= self._next_commit_s:
            self._commit(now_s)

    def _patience_s(self) -> float:
        if self._store_pass is not None:
            return 0.0
        due_s = self.windows.next_due_s()
        wait_s = self.settings.poll_s if due_s is None else due_s - self.clock()
        return min(self.settings.poll_s, max(0.0, wait_s))

    def _take_searches(self, messages: Iterable[Message]) -> None:
        for message in messages:
            change = self.table.apply(message)
            self.metrics.search_changes.labels(_name(change)).inc()
            if isinstance(change, Held):
                # what waits was matched by the old wording; the new one meets these postings in the store
                self.metrics.cancelled.inc(self.windows.cancel(change.search.search_id))
                self.matcher.put_search(change.search)
            elif isinstance(change, Dropped):
                self.matcher.drop_search(change.search_id)
                self.metrics.cancelled.inc(self.windows.cancel(change.search_id))
        self.metrics.searches.set(len(self.table.held))

    def _take_over(self, assignment: Mapping[int, Progress] | None, now_s: float) -> None:
        """After a rebalance send every open window, then restart at the committed offsets; the ledger drops repeats."""
        if assignment is None:
            return
        log.info("assigned features partitions %s", sorted(assignment))
        self._produce(self.windows.flush(now_s))
        self.progress = dict(assignment)
        self._store_pass = None

    def _take_feature(self, message: Message, now_s: float) -> None:
        try:
            feature = _feature(message, self.codec)
        except DecodeError as error:
            self.features.send(dead_letter(message, str(error)))
            self.metrics.features.labels("dead_letters").inc()
        else:
            candidate = Candidate(
                posting_id=feature.posting_id, version=feature.version, updated_ms=_updated_ms(message)
            )
            searches = self.matcher.match(feature)
            self.metrics.features.labels("matched" if searches else "unmatched").inc()
            for search in searches:
                self._collect(search, candidate, now_s)
        self.progress[message.partition] = replace(
            self.progress[message.partition], offset=message.offset + 1
        )
        self._dirty = True

    def _collect(self, search: SavedSearch, candidate: Candidate, now_s: float) -> None:
        full = self.windows.add(search, candidate, now_s)
        if full is not None:
            self._produce([full])

    def _meet(self, now_s: float) -> None:
        if self._store_pass is None and now_s >= self._next_meeting_s:
            self._report_bad()
            self._start_store_pass()
        if self._store_pass is None:
            return
        seen = self._store_pass.seen
        try:
            met = self._store_pass.advance(self.settings.max_met)
        except StoreError as error:
            log.warning("the store cannot be read, trying again in %.0f s: %s", self.settings.retry_s, error)
            self._store_pass, self._next_meeting_s = None, now_s + self.settings.retry_s
            return
        for held, posting in met:
            if self._is_due(held, posting):
                candidate = Candidate(
                    posting_id=posting.posting_id, version=posting.version, updated_ms=held.timestamp_ms
                )
                self._collect(held.search, candidate, now_s)
        self.metrics.met.inc(self._store_pass.seen - seen)
        if self._store_pass.finished:
            self._advance_met(self._store_pass.until)
            self._store_pass = None

    def _start_store_pass(self) -> None:
        behind = [p for p in self.progress.values() if dict(p.met) != self.table.positions]
        if not behind:
            return
        searches = {held.search.search_id: held for p in behind for held in self.table.since(p.met)}
        if searches:
            log.info("%d searches meet the postings in the store", len(searches))
            self._store_pass = StorePass(list(searches.values()), self.stored(), until=self.table.positions)
        else:
            self._advance_met(self.table.positions)

    def _is_due(self, held: Held, posting: FeatureRecord) -> bool:
        """Ours to meet, not met yet, and the search still stands as it was."""
        progress = self.progress.get(self.features.partition_of(posting.posting_id))
        return (
            progress is not None
            and is_since(held, progress.met)
            and self.table.held.get(held.search.search_id) is held
        )

    def _advance_met(self, until: Offsets) -> None:
        self.progress = {p: replace(progress, met=dict(until)) for p, progress in self.progress.items()}
        self._dirty = True

    def _report_bad(self) -> None:
        """Send unreadable searches as dead letters, once: whoever has partition 0 sends those since its last commit."""
        if 0 not in self.progress:
            return
        for bad in self.table.bad:
            if bad.message.offset >= self.progress[0].met.get(bad.message.partition, 0):
                self.features.send(dead_letter(bad.message, bad.reason))
        self.table.bad.clear()

    def _produce(self, requests: Iterable[ScoreRequest]) -> None:
        for request in requests:
            for message in request_messages(request, self.codec):
                self.features.send(message)
            self.metrics.requests.inc()
            self.metrics.candidates.inc(len(request.candidates))
            oldest_ms = min(candidate.updated_ms for candidate in request.candidates)
            self.metrics.latency_s.observe(max(0, request.created_ms - oldest_ms) / 1000)

    def _commit(self, now_s: float) -> None:
        self._produce(self.windows.flush(now_s))
        if self.features.commit(self.progress):
            self._dirty = False
        self._next_commit_s = now_s + self.settings.commit_s


def _feature(message: Message, codec: Codec) -> FeatureRecord:
    if message.value is None:
        raise DecodeError("a feature message without a value")
    return codec.decode(FeatureRecord, message.value)


def _updated_ms(message: Message) -> int:
    """The update's broker timestamp, which the feature job hands on; else the feature's own."""
    stamp = message.headers.get("source_ts", b"")
    return int(stamp) if stamp.isdigit() else message.timestamp_ms


def _name(change: Held | Dropped | Bad | None) -> str:
    names = {Held: "put", Dropped: "dropped", Bad: "dead_letters"}
    return names.get(type(change), "unchanged")
