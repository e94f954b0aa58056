"""The matcher's loop: reads saved searches and features, sends score requests, then commits offsets."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from pipeline.percolation.matcher import Matcher, Matches
from pipeline.percolation.meaning import with_query
from pipeline.percolation.query_vectors import QueryVectors
from pipeline.percolation.rows import BATCH
from pipeline.windows import Windows
from schemas.codec import Codec
from schemas.errors import DecodeError, StoreError
from schemas.records import Candidate, FeatureRecord, SavedSearch, ScoreRequest
from schemas.settings import Option
from streaming.kafka.messages import Message, dead_letter
from streaming.kafka.topic_watch import TopicIds
from streaming.matching.log import FeatureLog, PartitionProgress
from streaming.matching.messages import changed_candidate, feature_of, request_messages, stored_candidate
from streaming.matching.metrics import MatcherMetrics
from streaming.matching.progress import Progress
from streaming.matching.store_pass import StorePass
from streaming.searches.feed import SearchFeed
from streaming.searches.share import EVERY_SEARCH, SearchShare
from streaming.searches.table import SearchTable, Subscription, UnreadableSearch, Unsubscription

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchLoopSettings:
    """Times in seconds.

    `commit_s`: time between two commits; after a crash the features of that time are read again.
    `pass_postings`: stored postings that one turn matches with new searches.
    `retry_s`: pause before a store pass begins anew when the store could not be read; the matching of features goes on.
    """

    poll_s: float = 0.1
    commit_s: Annotated[float, Option("How often open windows are sent and offsets committed.")] = 1.0
    retry_s: float = 5.0
    pass_postings: int = 500


@dataclass(slots=True, kw_only=True)
class MatchLoop:
    """Matches features with saved searches and sends score requests; it may be killed at any moment.

    No candidate is lost: offsets are committed only after every window with candidates from before them was sent and
    acknowledged. A request may be sent twice; the alert ledger keeps its pairs from alerting twice. `topic_ids` tells
    a topic that was created anew from the one before.
    `turned` is called after each turn (streaming/process/health.py).
    `new_matcher` makes the matcher of all searches, and one for each store pass with that pass's searches.
    `query_vectors` makes the vectors of searches; None: all are matched by their words. `share`: the searches that
    this instance holds.
    """

    feed: SearchFeed
    features: FeatureLog
    new_matcher: Callable[[], Matcher]
    windows: Windows
    stored: Callable[[], Iterator[FeatureRecord]]
    metrics: MatcherMetrics
    settings: MatchLoopSettings = field(default_factory=MatchLoopSettings)
    codec: Codec = field(default_factory=Codec)
    clock: Callable[[], float] = time.monotonic
    turned: Callable[[], None] = lambda: None
    topic_ids: Callable[[], TopicIds] = dict
    query_vectors: QueryVectors | None = None
    share: SearchShare = EVERY_SEARCH
    matcher: Matcher = field(init=False)
    table: SearchTable = field(init=False)
    progress: Progress = field(default_factory=Progress)
    _store_pass: StorePass | None = None
    _times_begun: int = 1
    _next_commit_s: float = 0.0
    _next_pass_s: float = 0.0

    def __post_init__(self) -> None:
        self.matcher = self.new_matcher()
        self.table = SearchTable(self.codec, self.share)

    def run(self, stopped: Callable[[], bool]) -> None:
        """Read all searches, then turn until `stopped()`; send every open window and commit at the end.

        Raises RegistryUnavailable while the schema registry cannot be asked about a schema id; nothing is committed, so
        that a restart reads the same messages again.
        """
        # 1. read every search before the first feature
        self._take_searches(self.feed.read_to_end(stopped))
        log.info("%d saved searches are subscribed", len(self.table.subscriptions))
        self._next_commit_s = self.clock() + self.settings.commit_s
        while not stopped():
            self.turn()
            self.turned()
        self._commit()

    def turn(self) -> None:
        """One round of the loop."""
        # 2. searches that users subscribed, changed or unsubscribed, and vectors that were made of them
        self._take_new_searches()
        self._take_vectors()
        # 3. features of postings that changed
        messages = self.features.poll(self._patience_s())
        now_s = self.clock()
        self._apply_rebalance(self.features.assignment())
        if self.progress.notice(self.topic_ids(), self.table.positions):
            self._match_all_again()
        for start in range(0, len(messages), BATCH):
            self._take_features(messages[start : start + BATCH], now_s)
        # 4. new searches are matched with the postings already stored
        self._match_stored(now_s)
        # 5. windows that have ended are sent as score requests
        self._produce(self.windows.due(now_s))
        # 6. offsets are committed once the requests of everything before them are sent
        if self.progress.dirty and now_s >= self._next_commit_s:
            self._commit()

    def _patience_s(self) -> float:
        if self._store_pass is not None:
            return 0.0
        due_s = self.windows.next_due_s()
        wait_s = self.settings.poll_s if due_s is None else due_s - self.clock()
        return min(self.settings.poll_s, max(0.0, wait_s))

    def _take_new_searches(self) -> None:
        messages = self.feed.poll()
        if self.feed.times_begun() != self._times_begun:
            self._times_begun = self.feed.times_begun()
            self._forget_searches()
        self._take_searches(messages)

    def _take_vectors(self) -> None:
        """Match by their vectors from now on the searches whose vectors have arrived."""
        if self.query_vectors is None:
            return
        failures = self.query_vectors.failures
        for search, query in self.query_vectors.advance(self.clock()):
            self.matcher.put_search(search, query)
        self.metrics.embedder_failures.inc(self.query_vectors.failures - failures)
        self.metrics.without_vector.set(len(self.query_vectors.waiting))

    def _renew_vectors(self, features: Iterable[FeatureRecord]) -> None:
        """Make all vectors of searches anew once postings have vectors of another embedder."""
        models = {feature.vector_model for feature in features}
        if self.query_vectors is not None and self.query_vectors.other_model(models):
            log.info("postings have vectors of %s: making those of the searches anew", ", ".join(models))
            for subscription in self.table.subscriptions.values():
                self.query_vectors.put(subscription.search, self.clock())

    def _forget_searches(self) -> None:
        """Begin with no search, as after a restart: the topic `searches` was created anew or lost its end.

        Each search that it says from now on is a new one, which meets the stored postings.
        """
        for search_id in self.table.subscriptions:
            self._forget(search_id)
        self.matcher, self.table = self.new_matcher(), SearchTable(self.codec, self.share)
        self._match_all_again()

    def _match_all_again(self) -> None:
        """Let every search meet the stored postings again; the ledger suppresses the pairs that have alerted."""
        self._store_pass = None
        self.progress.set_searches_matched({})

    def _take_searches(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self.turned()  # at the start there may be millions
            change = self.table.apply(message)
            self.metrics.search_changes.labels(_name(change)).inc()
            if isinstance(change, Subscription):
                # Open candidates were matched with the old wording; a store pass repeats it with the new one.
                self._forget(change.search.search_id)
                self.matcher.put_search(change.search)
                if self.query_vectors is not None:
                    self.query_vectors.put(change.search, self.clock())
            elif isinstance(change, Unsubscription):
                self.matcher.drop_search(change.search_id)
                self._forget(change.search_id)
        self.metrics.searches.set(len(self.table.subscriptions))

    def _forget(self, search_id: str) -> None:
        """Drop what waits for a search that has changed or gone: its candidates, and the making of its vector."""
        self.metrics.cancelled.inc(self.windows.cancel(search_id))
        if self.query_vectors is not None:
            self.query_vectors.drop(search_id)

    def _apply_rebalance(self, assignment: Mapping[int, PartitionProgress] | None) -> None:
        """After a rebalance, send every open window and start again from the committed progress.

        Another instance may own the partitions now and send the same candidates; the ledger suppresses a repeat.
        """
        if assignment is None:
            return
        log.info("assigned features partitions %s", sorted(assignment))
        self._produce(self.windows.flush())
        self.progress.assign(assignment, self.table.positions)
        self._store_pass = None

    def _take_features(self, messages: Sequence[Message], now_s: float) -> None:
        """Match a batch: the cost of a batch hardly depends on how many features are in it."""
        read = [(message, feature) for message in messages if (feature := self._read(message)) is not None]
        self._renew_vectors([feature for _, feature in read])
        found = self.matcher.match_many([feature for _, feature in read])
        for (message, feature), matches in zip(read, found, strict=True):
            self._count(matches)
            candidate = changed_candidate(message, feature)
            for search, similarity in matches:
                self._collect(search, candidate, now_s, similarity)

    def _read(self, message: Message) -> FeatureRecord | None:
        """The feature of a message; None for one that is not a feature, which becomes a dead letter."""
        if self.progress.has_lost_its_end(message.partition, message.offset):
            self._match_all_again()
        self.progress.read(message.partition, message.offset)
        try:
            return feature_of(message, self.codec)
        except DecodeError as error:
            self.features.send(dead_letter(message, str(error)))
            self.metrics.features.labels("dead_letters").inc()
            return None

    def _count(self, matches: Matches) -> None:
        self.metrics.features.labels("matched" if len(matches) else "unmatched").inc()
        self.metrics.pairs.labels("vectors").inc(len(matches.similar))
        self.metrics.pairs.labels("words").inc(len(matches.worded))

    def _collect(
        self, search: SavedSearch, candidate: Candidate, now_s: float, similarity: float | None
    ) -> None:
        full = self.windows.add(search, candidate, now_s, similarity)
        if full is not None:
            self._produce([full])

    def _match_stored(self, now_s: float) -> None:
        if self._store_pass is None and now_s >= self._next_pass_s:
            self._send_unreadable()
            self._start_store_pass()
        if self._store_pass is None:
            return
        read_before = self._store_pass.postings_read
        try:
            matches = self._store_pass.advance(self.settings.pass_postings)
        except StoreError as error:
            log.warning("the store cannot be read, trying again in %.0f s: %s", self.settings.retry_s, error)
            self._store_pass, self._next_pass_s = None, now_s + self.settings.retry_s
            return
        for subscription, posting, similarity in matches:
            if self._is_due(subscription, posting):
                self._collect(subscription.search, stored_candidate(posting, subscription), now_s, similarity)
        self.metrics.stored_postings.inc(self._store_pass.postings_read - read_before)
        if self._store_pass.finished:
            self.progress.set_searches_matched(self._store_pass.searches_until)
            self._store_pass = None

    def _start_store_pass(self) -> None:
        behind = list(self.progress.behind(self.table.positions))
        if not behind or (self.query_vectors is not None and self.query_vectors.holds_up(self.clock())):
            return
        new = {s.search.search_id: s for matched in behind for s in self.table.since(matched)}
        if new:
            log.info("matching %d new or changed searches with the postings in the store", len(new))
            self._store_pass = StorePass(
                list(new.values()),
                self.stored(),
                self.new_matcher(),
                searches_until=self.table.positions,
                vector_of=self.matcher.vector_of,
            )
        else:
            self.progress.set_searches_matched(self.table.positions)

    def _is_due(self, subscription: Subscription, posting: FeatureRecord) -> bool:
        """Whether the pair is still to be matched here.

        It is when the posting's partition is assigned here, its progress does not include the search yet, and the
        search has not changed since the pass began.
        """
        partition = self.features.partition_of(posting.posting_id)
        return (
            self.progress.is_new_to(subscription, partition)
            and self.table.subscriptions.get(subscription.search.search_id) is subscription
        )

    def _send_unreadable(self) -> None:
        """Send unreadable searches as dead letters, each once: only the instance with partition 0 sends them.

        It leaves out those before its committed offsets, which were sent already.
        """
        if 0 not in self.progress.partitions:
            return
        sent_until = self.progress.partitions[0].searches_matched
        for message, reason in self.table.unreadable:
            if message.offset >= sent_until.get(message.partition, 0):
                self.features.send(dead_letter(message, reason))
        self.table.unreadable.clear()

    def _produce(self, requests: Iterable[ScoreRequest]) -> None:
        for request in requests:
            query = self.matcher.vector_of(request.search.search_id)
            for message in request_messages(with_query(request, query), self.codec):
                self.features.send(message)
            self.metrics.requests.inc()
            self.metrics.candidates.inc(len(request.candidates))
            oldest_ms = min(candidate.updated_ms for candidate in request.candidates)
            self.metrics.latency_s.observe(max(0, request.created_ms - oldest_ms) / 1000)

    def _commit(self) -> None:
        self._produce(self.windows.flush())
        if self.features.commit(self.progress.partitions):
            self.progress.dirty = False
        self._next_commit_s = self.clock() + self.settings.commit_s


def _name(change: Subscription | Unsubscription | UnreadableSearch | None) -> str:
    names = {Subscription: "put", Unsubscription: "dropped", UnreadableSearch: "dead_letters"}
    return names.get(type(change), "unchanged")
