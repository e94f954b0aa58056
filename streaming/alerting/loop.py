"""The alert consumer's loop: reads score requests, sends their alerts and offsets in one transaction a turn."""

import logging
import random
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from pipeline.alert import AlertBatch, Located
from schemas.backoff import Backoff
from schemas.codec import Codec
from schemas.errors import (
    BrokersUnavailable,
    DecodeError,
    ModelDeferred,
    ModelUnavailable,
    RegistryUnavailable,
    StoreError,
)
from schemas.records import ScoreRequest
from schemas.settings import Option
from streaming.alerting.arrivals import Arrivals
from streaming.alerting.log import RequestLog, RequestStep
from streaming.alerting.messages import alert_message, rejection, request_of, request_parts
from streaming.alerting.metrics import ConsumerMetrics
from streaming.alerting.shaping import MOST, Lateness, ShapingSettings
from streaming.alerting.turn import Turn
from streaming.kafka.messages import (
    Message,
    Outgoing,
    dead_letter,
    request_id,
    request_waited_s,
    whole_candidates,
)
from streaming.kafka.topics import SCORE_REQUESTS

log = logging.getLogger(__name__)

#: Errors whose end the loop waits for, however long it takes; no request becomes a dead letter by them. They are
#: every StoreError, of which `pipeline.outages.OUTAGES` has only two, because no step works without its store.
STEP_OUTAGES = (ModelUnavailable, RegistryUnavailable, StoreError, BrokersUnavailable)
FIRST_BACKOFF_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLoopSettings:
    """Times in seconds. One step's model calls have their own deadline (`AlertSettings.deadline_s`).

    `defer_s`: how long a request waits for features that are missing, older than the matcher's or without a summary.
    `budget_s`: a turn takes no more requests after this time and commits, so that its alerts leave; far below Kafka's
    max.poll.interval of 300 s. A commit takes some 20 ms.
    `max_candidates`: a longer request goes back to its topic, in parts small enough for a slow model to
    answer each within its deadline.
    `max_slice`: most requests that one step takes.
    """

    poll_s: float = 0.2
    defer_s: Annotated[
        float, Option("How long a request waits for features that are not in the store yet.")
    ] = 5.0
    retry_s: float = 0.25
    budget_s: float = 1.0
    max_backoff_s: float = 10.0
    max_candidates: int = 100
    max_slice: int = 256


@dataclass(slots=True, kw_only=True)
class RequestLoop:
    """Scores requests and sends alerts, each pair once an opening; it may be killed at any moment.

    The ledger is written before the transaction, and marked after its commit. Of an alert without the mark the topic
    `alerts` tells whether it was sent, so that it is sent once whatever becomes of the offsets. `turned` is called
    after each turn and each slice of it (streaming/process/health.py).
    """

    requests: RequestLog
    step: RequestStep
    metrics: ConsumerMetrics
    unsubscribed: Callable[[], Collection[str]] = frozenset
    settings: RequestLoopSettings = field(default_factory=RequestLoopSettings)
    lateness: Lateness = field(default_factory=ShapingSettings().lateness)
    arrivals: Arrivals = field(default_factory=lambda: Arrivals(SCORE_REQUESTS.retention_ms / 1000))
    codec: Codec = field(default_factory=Codec)
    clock: Callable[[], float] = time.monotonic
    utc_s: Callable[[], float] = time.time
    turned: Callable[[], None] = lambda: None
    probe: Callable[[str], None] = lambda _: None
    _slice: int = 8
    _failures: int = 0
    _wait_until: float = 0.0
    _held: dict[int, float] = field(default_factory=dict)
    _deferred_since: dict[tuple[int, int], float] = field(default_factory=dict)

    def run(self, stopped: Callable[[], bool]) -> None:
        """Turn until `stopped()`; every turn ends in a commit, so that nothing is unfinished between two turns."""
        while not stopped():
            self.turn(stopped)
            self.turned()

    def turn(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """One round of the loop."""
        # 1. during an outage take no requests, but poll, so that the group keeps this member
        if self.clock() < self._wait_until:
            self.requests.pause(None)
            self._read_again(self.requests.poll(self.settings.poll_s))
            return
        # 2. poll the partitions that are due, which include those of deferred requests
        self._resume()
        messages = self.requests.poll(self.settings.poll_s)
        # 3. decode, read features, score, settle with the ledger: slice by slice
        turn = self._settle(messages, stopped)
        if not messages and not self._held:
            self._observe_ages([])
        # 4. alerts, dead letters and offsets in one transaction
        self.probe("after-ledger")
        if turn.offsets:
            self._transact(turn, messages)
        else:
            self.step.transacted([], committed=True)
        # 5. postponed requests are read again
        self.requests.rewind(turn.postponed)

    def _resume(self) -> None:
        now = self.clock()
        self._held = {partition: until for partition, until in self._held.items() if until > now}
        self.requests.resume()
        if self._held:
            self.requests.pause(self._held.keys())

    def _read_again(self, messages: Sequence[Message]) -> None:
        turn = Turn()
        turn.postpone(messages)
        self.requests.rewind(turn.postponed)

    def _settle(self, messages: Sequence[Message], stopped: Callable[[], bool]) -> Turn:
        turn, began, rest = Turn(), self.clock(), list(messages)
        while rest and self.clock() - began < self.settings.budget_s and not stopped():
            taken, rest = turn.without_postponed(rest[: self._slice]), rest[self._slice :]
            slice_began = self.clock()
            try:
                self._take(taken, turn)
            except STEP_OUTAGES as error:
                turn.postpone(taken)
                self._wait_out(error)
                break
            self._pace(self.clock() - slice_began)
            self.turned()
        turn.postpone(rest)
        return turn

    def _take(self, messages: Sequence[Message], turn: Turn) -> None:
        """Settle a slice of requests; postpone those that wait for features.

        Raises STEP_OUTAGES; then no request of the slice is settled.
        """
        unsubscribed = self.unsubscribed()
        entries = [self._entry(message, unsubscribed) for message in messages]
        while True:
            asked = [e.located for e in entries if e.located is not None]
            done = self.step.run(asked, self.lateness.depth)
            waiting = [e for e in entries if e.located is not None and self._waits(e.message, done)]
            if not waiting:
                break
            # Requests are settled whole and in their partition's order, because an offset commits all that stand
            # before it: alerts of a request behind a waiting one would be sent twice.
            self._hold(waiting)
            turn.postpone([entry.message for entry in waiting])
            entries = [e for e in entries if e.message in turn.without_postponed([e.message])]
        rejected = [located for located, _ in done.rejected]
        cancelled = [e.cancelled for e in entries if e.cancelled is not None]
        if given_up := [*done.deferred, *rejected, *cancelled]:
            self.step.release(given_up)
        turn.out += [message for entry in entries for message in entry.out]
        turn.out += [rejection(located, reason, self.codec) for located, reason in done.rejected]
        turn.alerts += done.alerts
        turn.settle([entry.message for entry in entries])
        self._observe_ages([self._age_s(entry) for entry in entries if entry.located is not None])
        self._count(entries, done)

    def _entry(self, message: Message, unsubscribed: Collection[str]) -> "_Entry":
        try:
            request = request_of(message, self.codec)
        except DecodeError as error:
            return _Entry(message, "dead_letters", out=[dead_letter(message, str(error))])
        located = Located(
            request=request,
            partition=message.partition,
            offset=message.offset,
            timestamp_ms=message.timestamp_ms,
            request_id=request_id(message),
            whole=whole_candidates(message),
        )
        if request.search.search_id in unsubscribed:
            return _Entry(message, "cancelled", cancelled=located)
        if len(request.candidates) > self.settings.max_candidates:
            waited_s = self._waited_s(message, request)
            parts = request_parts(located, self.settings.max_candidates, waited_s, self.codec)
            return _Entry(message, "split", out=parts)
        return _Entry(message, "scored", located=located)

    def _age_s(self, entry: "_Entry") -> float:
        """How old a request is, without the time that it was held back here for its features."""
        assert entry.located is not None  # noqa: S101  (only requests that are scored have an age)
        held_since = self._deferred_since.get((entry.message.partition, entry.message.offset))
        held_s = 0.0 if held_since is None else self.clock() - held_since
        return max(0.0, self._waited_s(entry.message, entry.located.request) - held_s)

    def _waited_s(self, message: Message, request: ScoreRequest) -> float:
        """How long ago a request was made: by the wall clock, within what is known of its way through the topic."""
        before_s = request_waited_s(message)
        believed_s = self.utc_s() - request.created_ms / 1000 - before_s
        return before_s + self.arrivals.age_s(self.clock(), message.partition, message.offset, believed_s)

    def _observe_ages(self, ages_s: Sequence[float]) -> None:
        self.lateness.observe(self.clock(), ages_s)
        self.metrics.depth.set(self.lateness.depth or MOST)

    def _waits(self, message: Message, done: AlertBatch) -> bool:
        """Whether features of this request's candidates are missing and it has waited less than `defer_s`."""
        place = (message.partition, message.offset)
        if not any((d.partition, d.offset) == place for d in done.deferred):
            return False
        since = self._deferred_since.setdefault(place, self.clock())
        return self.clock() - since < self.settings.defer_s

    def _hold(self, waiting: Sequence["_Entry"]) -> None:
        for entry in waiting:
            self._held[entry.message.partition] = self.clock() + self.settings.retry_s
        self.metrics.deferrals.inc(len(waiting))

    def _pace(self, took_s: float) -> None:
        """Take more requests at once while a slice is fast (scores from the cache), fewer when the model is slow."""
        self._failures = 0
        self.metrics.paused.set(0)
        if took_s < 0.5:
            self._slice = min(self.settings.max_slice, self._slice * 2)
        elif took_s > 5.0:
            self._slice = max(1, self._slice // 4)

    def _wait_out(self, error: Exception) -> None:
        if isinstance(error, ModelDeferred):
            self._come_again(error.retry_after_s)
            return
        self._slice = 1
        self._failures += 1
        backoff = Backoff(first_s=FIRST_BACKOFF_S, longest_s=self.settings.max_backoff_s)
        backoff_s = backoff.wait_s(self._failures)
        if isinstance(error, ModelUnavailable):
            backoff_s = max(backoff_s, min(error.retry_after_s, self.settings.max_backoff_s))
        wait_s = backoff_s * random.uniform(0.5, 1.0)
        log.warning("waiting %.1f s: %s: %s", wait_s, type(error).__name__, error)
        self.metrics.outages.labels(type(error).__name__).inc()
        self.metrics.paused.set(1)
        self._wait_until = self.clock() + wait_s
        self.requests.pause(None)

    def _come_again(self, after_s: float) -> None:
        """Leave the requests in their topic while other work goes first; the partitions stay this member's."""
        log.debug("other work goes first: requests wait for %.1f s", after_s)
        self.metrics.shaping_pauses.inc()
        self._wait_until = self.clock() + min(after_s, self.settings.max_backoff_s)
        self.requests.pause(None)

    def _transact(self, turn: Turn, messages: Sequence[Message]) -> None:
        began = self.clock()
        out = [*turn.out, *(alert_message(alert, self.codec) for alert in turn.alerts)]
        committed = self.requests.transact(out, turn.offsets)
        self.probe("after-commit")
        self.step.transacted(turn.alerts, committed=committed)
        if not committed:
            log.warning("transaction aborted; reading %d requests again", len(messages))
            self.metrics.aborts.inc()
            turn.postpone(messages)
            return
        self.metrics.commit_s.observe(self.clock() - began)
        self.metrics.alerts.inc(len(turn.alerts))
        now_ms = self.utc_s() * 1000
        for alert in turn.alerts:
            self.metrics.latency_s.observe(max(0.0, now_ms - alert.updated_ms) / 1000)
        self._deferred_since = {
            place: since
            for place, since in self._deferred_since.items()
            if place[1] >= turn.offsets.get(place[0], 0)
        }

    def _count(self, entries: Sequence["_Entry"], done: AlertBatch) -> None:
        for entry in entries:
            self.metrics.requests.labels(entry.outcome).inc()
        for fate, count in done.fates.items():
            self.metrics.candidates.labels(fate.value).inc(count)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A request as it was read, and what is to be done with it.

    Exactly one of these is set: `located` (score it), `cancelled` (its search was unsubscribed: withdraw its claims) or
    `out` (messages that replace it: a dead letter, or the parts of a long request).
    """

    message: Message
    outcome: str
    located: Located | None = None
    cancelled: Located | None = None
    out: Sequence[Outgoing] = ()
