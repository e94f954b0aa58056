"""Measure a sample of the postings that were summarized just now, on a thread of its own: nothing waits for it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Lock

from models.guards import GUARDS
from models.prompts import is_textless, summarizer_input
from pipeline.drift.measuring import Measured, Measurer, Subject
from pipeline.drift.thresholds import SIGNS, Thresholds
from pipeline.drift.window import Means, Window
from pipeline.featurize import OutcomeRow, SourceRow
from pipeline.scoring.items import item_of
from schemas.codec import Codec
from schemas.errors import DecodeError
from schemas.keys import text_hash
from schemas.records import FeatureRecord, Outcome, PostingUpdate

log = logging.getLogger(__name__)

MOST_WAITING = 32
"""Sampled postings that may wait for the ranker; further ones are left out and counted."""
COUNTS = ("measured", "failed", "left_out", "text_tokens", "summary_tokens", *GUARDS)
"""`failed`: the ranker gave no scores. Tokens: of the measured texts and of their summaries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftState:
    """What a monitor knows: COUNTS since its start, the window's means, which of them are above their thresholds."""

    counts: Counter[str] = field(default_factory=Counter)
    means: Means = field(default_factory=Means)
    exceeded: tuple[str, ...] = ()


def sampled(posting_id: str, share: float) -> bool:
    """Whether a posting belongs to the sample of this share; always the same for one id."""
    return int.from_bytes(text_hash(f"drift\0{posting_id}")[:8]) < share * 2.0**64


class DriftMonitor:
    """Takes the sampled postings of each batch; its caller never waits, and no error of the ranker reaches it."""

    def __init__(
        self,
        measurer: Measurer,
        thresholds: Thresholds | None,
        share: float,
        codec: Codec,
        thread: Executor | None = None,
    ) -> None:
        """`codec` decodes the caller's rows, on the caller's thread. `thread`: measures; by default one of its own."""
        self.thresholds = thresholds
        self._measurer, self._share, self._codec = measurer, share, codec
        self._window, self._lock = Window(thresholds), Lock()
        self._waiting, self._state, self._is_failing = 0, DriftState(), False
        self._thread = thread or ThreadPoolExecutor(1, thread_name_prefix="drift")

    def offer(self, rows: Sequence[SourceRow], outcomes: Sequence[OutcomeRow | None]) -> None:
        """Take what is sampled of a batch; `outcomes` have their records as the featurizer encodes them."""
        for row, outcome in zip(rows, outcomes, strict=True):
            if outcome is None or outcome.outcome is not Outcome.SUMMARIZED:
                continue
            if (
                sampled(outcome.posting_id, self._share)
                and (subject := self._subject(row, outcome)) is not None
            ):
                self._take(subject)

    def state(self) -> DriftState:
        """What is known now; may be called by any thread."""
        return self._state

    def close(self) -> None:
        """Drop what waits; returns when the posting that is being measured is done, within its deadline."""
        self._thread.shutdown(cancel_futures=True)

    def _subject(self, row: SourceRow, outcome: OutcomeRow) -> Subject | None:
        """The posting with its raw text; None if the record has gone on to another text meanwhile."""
        try:
            update = self._codec.decode(PostingUpdate, row.value)
            record = self._codec.decode(FeatureRecord, outcome.value)
        except DecodeError:
            return None
        return subject_of(update, record)

    def _take(self, subject: Subject) -> None:
        with self._lock:
            if self._waiting >= MOST_WAITING:
                self._count(left_out=1)
                return
            self._waiting += 1
        self._thread.submit(self._measurer.measure, subject).add_done_callback(self._done)

    def _done(self, future: Future[Measured]) -> None:
        """Count what came of a posting: an error of any kind is one more that failed."""
        with self._lock:
            self._waiting -= 1
            if future.cancelled():
                return
            error, was_failing = future.exception(), self._is_failing
            self._is_failing = error is not None
            if error is None:
                self._add(future.result())
                return
            self._count(failed=1)
        if not was_failing:
            log.warning("the drift of summaries cannot be measured now: %s: %s", type(error).__name__, error)

    def _add(self, measured: Measured) -> None:
        self._window.add(measured)
        before = self._state.exceeded
        lengths = {"text_tokens": measured.text_tokens, "summary_tokens": measured.summary_tokens}
        self._count(measured=1, **lengths, **dict.fromkeys(measured.flags, 1))
        if self._state.exceeded != before:
            self._tell()

    def _count(self, **more: int) -> None:
        """Make the next state, which no one changes afterwards."""
        self._state = DriftState(
            counts=self._state.counts + Counter(more),
            means=self._window.means(),
            exceeded=self._window.exceeded(),
        )

    def _tell(self) -> None:
        state = self._state
        shown = ", ".join(f"{sign} {getattr(state.means, sign):.4f}" for sign in SIGNS)
        log.warning(
            "summaries of %d new postings: %s; %s",
            state.means.count,
            shown,
            f"too high: {', '.join(state.exceeded)}" if state.exceeded else "below all thresholds again",
        )


def subject_of(update: PostingUpdate, record: FeatureRecord) -> Subject | None:
    """An update's raw text beside the summary in the record; None where that is not the summary of this text."""
    posting = update.posting
    if posting is None:
        return None
    given = summarizer_input(posting.title, posting.description)
    if is_textless(given) or text_hash(given) != record.summary_hash:
        return None
    return Subject(
        posting_id=record.posting_id,
        item=replace(item_of(record), text=posting.description),
        summary=record.summary,
        text_tokens=record.input_tokens,
        summary_tokens=record.summary_tokens,
    )
