"""How many texts one process keeps in flight at a model server: learned from answers, refusals and missed deadlines.

Additive increase, multiplicative decrease: each answer raises the limit by 1 / limit, which is one text for each round;
a refusal (429, 503) or a missed deadline halves it, once for all requests that were in flight together.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from schemas.backoff import Backoff

PATIENCE = 3.0
"""A request is suspect when it takes so many times as long as the slowest of the latest answers, and was overtaken."""
NEW = 0.3
"""Weight of a new answer in the expected time of the next one."""
FADING = 0.9
"""The slowest of the latest answers is forgotten by this factor with each answer."""
FADING_BY_PROBE = 0.5
"""The same with each answered probe: a text that is never answered may be the only one in flight."""


@dataclass(slots=True, eq=False)
class Sent:
    """One text in flight; `full`: the limit was used up meanwhile, so that its answer tells whether more would do."""

    at: float
    full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a summarizer's client does now: `limit` of texts in flight; the others count since the start."""

    limit: int = 0
    decreases: int = 0
    not_sent: int = 0


class TextLimiter:
    """Bounds the texts in flight to 1..`most`, and tells which requests are not worth sending; used on one thread.

    The time that a refusal takes teaches nothing: only answers tell how long the next one will take.
    """

    def __init__(self, most: int, pauses: Backoff, clock: Callable[[], float] = time.monotonic) -> None:
        """`pauses`: the waits after one, two, ... refusals in a row without a Retry-After."""
        self._most, self._pauses, self._clock = most, pauses, clock
        self._window = float(most)
        self._flying: set[Sent] = set()
        self._expected_s: float | None = None
        self._slowest_s = 0.0
        self._shrunk_at = self._answered_from = -float("inf")
        self.resumes_at = -float("inf")
        self.refusals = self._decreases = self._not_sent = 0

    @property
    def limit(self) -> int:
        """Most texts that may be in flight now."""
        return int(self._window)

    @property
    def in_flight(self) -> int:
        """Texts that were sent and have no answer yet."""
        return len(self._flying)

    def load(self) -> Load:
        """The figures for the metrics; may be called by any thread."""
        return Load(limit=self.limit, decreases=self._decreases, not_sent=self._not_sent)

    def has_room(self) -> bool:
        """Whether one more text may be sent now."""
        return self.in_flight < self.limit and self._clock() >= self.resumes_at

    def too_late(self, deadline: float) -> bool:
        """Whether a text sent now would miss `deadline`, as long as answers take; never while none is in flight.

        The exception is a probe: otherwise a server that was slow once would never be asked again.
        """
        expected_s = self._expected_s
        return bool(self._flying) and expected_s is not None and self._clock() + expected_s > deadline

    def withheld(self) -> None:
        """Count a text that was not sent because its answer would come too late."""
        self._not_sent += 1

    def send(self) -> Sent:
        """Note that a text is sent now."""
        sent = Sent(self._clock())
        self._flying.add(sent)
        if self.in_flight >= self.limit:
            for one in self._flying:
                one.full = True
        return sent

    def again(self, sent: Sent) -> None:
        """Note that the same text is sent once more, in the place that it has."""
        sent.at = self._clock()

    def answered(self, sent: Sent) -> None:
        """Learn from an answer, which also ends the pause after a refusal: the server works."""
        self._flying.discard(sent)
        took_s = self._clock() - sent.at
        expected_s = took_s if self._expected_s is None else self._expected_s
        self._expected_s = expected_s + NEW * (took_s - expected_s)
        self._slowest_s = max(took_s, FADING * self._slowest_s)
        self._answered_from = max(self._answered_from, sent.at)
        self.refusals, self.resumes_at = 0, min(self.resumes_at, self._clock())
        if sent.full:
            self._window = min(float(self._most), self._window + 1 / self._window)

    def refused(self, sent: Sent, retry_after_s: float) -> None:
        """Learn from a refusal: halve the limit, and send nothing for `retry_after_s` or until an answer.

        The longest of `pauses` bounds the wait: a server that says when all its work will be done would stand idle.
        """
        self._flying.discard(sent)
        if self._shrink(sent):
            self.refusals += 1
            pause_s = min(retry_after_s, self._pauses.longest_s) or self._pauses.wait_s(self.refusals)
            self.resumes_at = max(self.resumes_at, self._clock() + pause_s)

    def late(self, sent: Sent) -> None:
        """Learn from a request that was given up without an answer: halve the limit."""
        self._flying.discard(sent)
        self._shrink(sent)

    def failed(self, sent: Sent) -> None:
        """Forget a request that failed for another reason than the server's speed."""
        self._flying.discard(sent)

    def is_last(self, sent: Sent) -> bool:
        """Whether no text in flight was sent later, so that only a probe can tell whether the server works."""
        return all(other.at <= sent.at for other in self._flying)

    def probed(self, at: float) -> None:
        """Note that the server has answered a probe that was sent at `at`, so that it is no longer slow."""
        self._answered_from = max(self._answered_from, at)
        self._slowest_s *= FADING_BY_PROBE

    def overtaken(self, sent: Sent) -> bool:
        """Whether this text is at fault, not the server's speed: a later one was answered, and it takes far longer."""
        waited_s = self._clock() - sent.at
        return self._answered_from > sent.at and waited_s > PATIENCE * self._slowest_s

    def _shrink(self, sent: Sent) -> bool:
        """Halve the limit unless it was halved after this text was sent; returns whether it was."""
        if sent.at < self._shrunk_at:
            return False
        self._shrunk_at = self._clock()
        self._decreases += 1
        self._window = max(1.0, self._window / 2)
        return True
