"""A batch of posting updates in, a batch of outcomes out: THE definition of a feature record.

Flink, Spark and the in-process replay all call `Featurizer.featurize`; it knows none of them.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models.summarizer import Summarizer, SummaryUnavailable
from pipeline.fold import Fold
from schemas.codec import Codec
from schemas.errors import ModelUnavailable
from schemas.records import Outcome, PostingUpdate
from storage.features import FeatureStore


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturizeSettings:
    """`deadline_s` bounds all model calls of one batch together (docs/semantics.md#when-things-are-down)."""

    deadline_s: float = 45.0


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One message of `postings.updates` and where it came from; `value` is b"" for a tombstone."""

    value: bytes
    topic: str
    partition: int
    offset: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """What one message did. `value`: the store's current record encoded, or a dead letter's original bytes.

    `input_tokens`, `summary_tokens`: of the posting's summary, where this row's outcome is one.
    """

    outcome: Outcome
    posting_id: str
    value: bytes
    summarizer_called: bool = False
    reason: str | None = None
    input_tokens: int = 0
    summary_tokens: int = 0


class Featurizer:
    """One bulk read, summaries only where a text changed, one bulk write, the store's current records to send."""

    def __init__(
        self,
        store: FeatureStore,
        summarizer: Summarizer,
        settings: FeaturizeSettings | None = None,
        *,
        codec: Codec | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._summarizer = summarizer
        self._settings = settings or FeaturizeSettings()
        self._codec = codec or Codec()
        self._monotonic = monotonic

    def featurize(self, batch: Sequence[SourceRow]) -> list[OutcomeRow]:
        """One outcome a row, in order, the same for every way of cutting a stream into batches.

        When it returns, the store has everything. Raises ModelUnavailable (after writing all that did arrive),
        StoreUnavailable or StoreFull; calling again with the same rows finishes what was left.
        """
        return self._featurize([row.value for row in batch], self._deadline())

    def featurize_decoded(self, updates: Sequence[PostingUpdate]) -> list[OutcomeRow]:
        """The same for updates that never were messages; a dead letter of theirs has no bytes."""
        return self._featurize(updates, self._deadline())

    def _deadline(self) -> float:
        return self._monotonic() + self._settings.deadline_s

    def _featurize(self, batch: Sequence[bytes | PostingUpdate], deadline: float) -> list[OutcomeRow]:
        # 1. decode, one bulk read, fold in arrival order
        fold = Fold(self._codec, self._store, batch)
        # 2. summaries of the texts that won
        outage = self._summarize(fold, deadline)
        # 3. one bulk write of everything that did arrive
        self._write(fold)
        # 4. a posting with a poisonous row goes row by row, so that the row takes no neighbour with it
        apart = [i for work in fold.works.values() if work.apart() for i in work.rows]
        again = {i: self._featurize([batch[i]], deadline)[0] for i in sorted(apart)}
        # 5. an outage is the caller's to wait for: nothing leaves, all rows come again
        if outage is not None:
            raise ModelUnavailable(outage.reason, retry_after_s=outage.retry_after_s)
        return [again.get(i) or _row(fold, i, value) for i, value in enumerate(batch)]

    def _summarize(self, fold: Fold, deadline: float) -> SummaryUnavailable | None:
        """One call for all; texts that several postings share are sent once. The outage, if there was one."""
        waiting = list(fold.waiting().values())
        if not waiting:
            return None
        texts = [works[0].input_text for works in waiting]
        answers = self._summarizer.summarize_many(texts, max(0.0, deadline - self._monotonic()))
        outage = None
        for works, answer in zip(waiting, answers, strict=True):
            if isinstance(answer, SummaryUnavailable):
                outage = answer
                continue
            works[0].summarizer_row = works[0].content_rows[-1]
            for work in works:
                work.answered(answer)
        return outage

    def _write(self, fold: Fold) -> None:
        """Write what changed; a record or text that no store takes is its row's failure."""
        writes = [write for work in fold.works.values() if (write := work.write()) is not None]
        results = self._store.merge_many(writes) if writes else []
        for write, result in zip(writes, results, strict=True):
            work = fold.works[write.posting_id]
            if isinstance(result, bytes):
                work.stored = result
            else:
                work.failure = str(result)


def _row(fold: Fold, i: int, value: bytes | PostingUpdate) -> OutcomeRow:
    work = fold.work[i]
    original = value if isinstance(value, bytes) else b""
    if work is None:
        return OutcomeRow(Outcome.DEAD_LETTERS, "", original, reason=fold.reasons[i])
    if work.failure is not None:
        return OutcomeRow(Outcome.DEAD_LETTERS, work.posting_id, original, reason=work.failure)
    called, record = work.summarizer_row == i, work.record
    if fold.outcomes[i] is not Outcome.SUMMARIZED or record is None:
        return OutcomeRow(fold.outcomes[i], work.posting_id, work.stored, called)
    tokens = record.input_tokens, record.summary_tokens
    return OutcomeRow(Outcome.SUMMARIZED, work.posting_id, work.stored, called, None, *tokens)
