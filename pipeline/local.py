"""The whole path in one process: events → features → candidates → alerts, without Kafka or Flink.

It calls the same functions as the cluster; for debugging, notebooks and tests (`nearline replay --in-process`).
"""

import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from models.ranker import Ranker
from models.summarizer import Summarizer
from pipeline.alert import AlertStep, Fate, Located
from pipeline.embedding import VectorMaker
from pipeline.featurize import MAX_AHEAD_S, Featurizer, FeaturizeSettings, OutcomeRow, SourceRow
from pipeline.percolation.matcher import Matches
from pipeline.percolation.percolator import Percolator
from pipeline.percolation.rows import BATCH
from pipeline.scoring.cached import CachedScorer
from pipeline.windows import Windows, WindowSettings, stronger
from schemas.codec import decode, encode
from schemas.errors import EventError
from schemas.events import BrokenLine
from schemas.records import (
    Alert,
    Candidate,
    FeatureRecord,
    Outcome,
    PostingUpdate,
    Reason,
    SavedSearch,
    ScoreRequest,
)
from storage.base import Clock, KeyValue
from storage.features import FeatureStore
from storage.ledger import AlertLedger
from storage.scores import ScoreCache

#: Not a partition of Kafka's, so that in the ledger a replay's claim never looks like one of a real request.
LOCAL_PARTITION = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    """`batch_size` events are processed at once; the end state is the same for every size.

    `max_ahead_s`: see `FeaturizeSettings`.
    """

    batch_size: int = 256
    max_ahead_s: float = MAX_AHEAD_S
    windows: WindowSettings = field(default_factory=WindowSettings)


@dataclass(slots=True, kw_only=True)
class LocalReport:
    """What a replay did so far; the outcomes add up to `updates_in`, the fates to the candidates."""

    updates_in: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    summarizer_calls: int = 0
    score_requests: int = 0
    fates: Counter[Fate] = field(default_factory=Counter)
    alerts: list[Alert] = field(default_factory=list)
    #: Of each dead letter which update it is, from 1, and the reason.
    dead_letters: list[tuple[int, str]] = field(default_factory=list)


class LocalPath:
    """The path over one store; `report` grows with every batch."""

    def __init__(
        self,
        kv: KeyValue,
        summarizer: Summarizer,
        ranker: Ranker,
        settings: LocalSettings | None = None,
        *,
        clock: Clock = time.time,
        vectors: VectorMaker | None = None,
    ) -> None:
        """`vectors`: gives the records their vectors; without, they have none."""
        self._settings = settings or LocalSettings()
        self._clock = clock
        self.features = FeatureStore(kv)
        self.report = LocalReport()
        limits = FeaturizeSettings(max_ahead_s=self._settings.max_ahead_s)
        self._featurizer = Featurizer(self.features, summarizer, limits, clock=clock, vectors=vectors)
        self._matcher = Percolator()
        self._windows = Windows(self._settings.windows, clock)
        scorer = CachedScorer(ranker, ScoreCache(kv, clock=clock))
        self._alerts = AlertStep(self.features, scorer, AlertLedger(kv))
        # greater than those of earlier replays on the same store, so that the ledger tells their requests apart
        self._offsets = itertools.count(int(clock() * 1_000_000))

    def subscribe(self, searches: Iterable[SavedSearch]) -> list[Alert]:
        """Add saved searches, and match them against the open postings that the store already has; the alerts."""
        newcomers, requests = Percolator(), list[ScoreRequest]()
        for search in searches:
            self._matcher.put_search(search)
            newcomers.put_search(search)
        stored = self.features.scan()
        while postings := list(itertools.islice(stored, BATCH)):
            for feature, found in zip(postings, newcomers.match_many(postings), strict=True):
                requests += self._collect(found, feature, self._now_ms(), Reason.SEARCH)
        return self._settle(requests)

    def push(self, events: Sequence[PostingUpdate | BrokenLine]) -> list[OutcomeRow]:
        """Process one batch; its alerts are added to the report. Raises as `Featurizer` and `AlertStep` do."""
        now_ms = self._now_ms()
        sources = [
            SourceRow(_bytes(event), "local", 0, self.report.updates_in + n, now_ms)
            for n, event in enumerate(events)
        ]
        rows = self._featurizer.featurize(sources)
        self._count(rows)
        current = {row.posting_id: row.value for row in rows if row.outcome is not Outcome.DEAD_LETTERS}
        reasons = dict[str, Reason]()
        for row in rows:
            reasons[row.posting_id] = stronger(
                reasons.get(row.posting_id, row.alert_reason), row.alert_reason
            )
        requests = list[ScoreRequest]()
        features = [decode(FeatureRecord, value) for value in current.values()]
        for feature, found in zip(features, self._matcher.match_many(features), strict=True):
            requests += self._collect(found, feature, now_ms, reasons[feature.posting_id])
        self._settle(requests)
        return rows

    def replay(self, events: Iterable[PostingUpdate | BrokenLine]) -> LocalReport:
        """Process all events, in batches of `batch_size`; what comes before an error of `events` is processed too."""
        for batch in _batches(events, self._settings.batch_size):
            self.push(batch)
        return self.report

    def _collect(
        self, found: Matches, feature: FeatureRecord, updated_ms: int, reason: Reason
    ) -> Iterator[ScoreRequest]:
        candidate = Candidate(
            posting_id=feature.posting_id, version=feature.version, updated_ms=updated_ms, reason=reason
        )
        for search in found.searches():
            full = self._windows.add(search, candidate, self._clock())
            if full is not None:
                yield full

    def _settle(self, requests: Iterable[ScoreRequest]) -> list[Alert]:
        """Score these requests and those of all open windows; the alerts."""
        now_ms = self._now_ms()
        located = [
            Located(
                request=request, partition=LOCAL_PARTITION, offset=next(self._offsets), timestamp_ms=now_ms
            )
            for request in (*requests, *self._windows.flush())
        ]
        batch = self._alerts.run(located)
        self._alerts.transacted(batch.alerts, committed=True)
        self.report.score_requests += len(located)
        self.report.fates += batch.fates
        self.report.alerts += batch.alerts
        return batch.alerts

    def _count(self, rows: Sequence[OutcomeRow]) -> None:
        for number, row in enumerate(rows, start=self.report.updates_in + 1):
            if row.outcome is Outcome.DEAD_LETTERS:
                self.report.dead_letters.append((number, row.reason or ""))
        self.report.updates_in += len(rows)
        self.report.outcomes.update(row.outcome for row in rows)
        self.report.summarizer_calls += sum(row.summarizer_called for row in rows)

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def _bytes(event: PostingUpdate | BrokenLine) -> bytes:
    """The event as a message; a broken line goes as it is, and the featurizer makes a dead letter of it."""
    return event.data if isinstance(event, BrokenLine) else encode(event)


def _batches(
    events: Iterable[PostingUpdate | BrokenLine], size: int
) -> Iterator[list[PostingUpdate | BrokenLine]]:
    """Batches of `size`; the events before an error are a batch before it is raised."""
    remaining = iter(events)
    while True:
        batch: list[PostingUpdate | BrokenLine] = []
        try:
            # not list(): that would lose what came before an error
            for event in itertools.islice(remaining, size):
                batch.append(event)  # noqa: PERF402
        except EventError:
            if batch:
                yield batch
            raise
        if not batch:
            return
        yield batch
