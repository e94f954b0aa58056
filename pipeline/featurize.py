"""Turn a batch of posting updates into feature records and outcomes: the one definition of a feature record.

Flink, Spark and the in-process replay all call it, and it depends on none of them.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models.summarizer import Summarizer, SummaryUnavailable
from pipeline.embedding import VectorMaker
from pipeline.fold import Fold, FoldedPosting
from schemas.codec import Codec
from schemas.errors import ConfigError, ModelUnavailable
from schemas.records import Outcome, PostingUpdate, Reason
from storage.base import Clock
from storage.features import FeatureStore

#: A day: clocks are wrong by hours and zones by less than a day, while dates like 2099 are typing errors.
MAX_AHEAD_S = 86_400.0
MAX_VERSION = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturizeSettings:
    """Limits of a batch.

    `deadline_s` bounds all model calls together (docs/semantics.md#when-things-are-down). `max_ahead_s`: how far in the
    future an update's time may lie; one that lies further would keep its posting from ever changing again.
    """

    deadline_s: float = 45.0
    max_ahead_s: float = MAX_AHEAD_S

    def __post_init__(self) -> None:
        if not self.max_ahead_s >= 0:
            raise ConfigError(f"max_ahead_s must be 0 or more, not {self.max_ahead_s}")


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

    `input_tokens`, `summary_tokens`: those of the posting's summary, if the outcome is SUMMARIZED. `alert_reason`: why
    the posting may alert now.
    """

    outcome: Outcome
    posting_id: str
    value: bytes
    summarizer_called: bool = False
    reason: str | None = None
    input_tokens: int = 0
    summary_tokens: int = 0
    alert_reason: Reason = Reason.UNKNOWN


Ready = tuple[list[OutcomeRow | None], ModelUnavailable | None]
"""An outcome for each row, None for one that waits for a summary, and why one does."""


class Featurizer:
    """Featurizes batches: one bulk read, summaries only of texts that changed, one bulk write.

    With `vectors` the records also get their vectors, or stay without while the embedder is away.
    """

    def __init__(
        self,
        store: FeatureStore,
        summarizer: Summarizer,
        settings: FeaturizeSettings | None = None,
        *,
        codec: Codec | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Clock = time.time,
        vectors: VectorMaker | None = None,
    ) -> None:
        self._store = store
        self._summarizer = summarizer
        self._vectors = vectors
        self._settings = settings or FeaturizeSettings()
        self._codec = codec or Codec()
        self._monotonic = monotonic
        self._clock = clock

    def featurize(self, batch: Sequence[SourceRow]) -> list[OutcomeRow]:
        """One outcome for each row, in order; outcomes do not depend on how a stream is cut into batches.

        When it returns, everything is in the store. Raises ModelUnavailable (after writing everything that did not
        need the missing summaries), StoreUnavailable or StoreFull; a call with the same rows does the rest.
        """
        return _complete(*self.featurize_ready(batch))

    def featurize_ready(self, batch: Sequence[SourceRow]) -> Ready:
        """As `featurize`, but rows that wait for a summary are None instead of an error for all.

        All rows of a posting wait together, so a later call with the waiting rows, in their order, keeps each posting's
        order. Raises StoreUnavailable or StoreFull.
        """
        return self._featurize([row.value for row in batch], self._deadline(), self._latest())

    def featurize_decoded(self, updates: Sequence[PostingUpdate]) -> list[OutcomeRow]:
        """As `featurize`, for updates that were not messages: a dead letter of one has no bytes."""
        return _complete(*self._featurize(updates, self._deadline(), self._latest()))

    def _deadline(self) -> float:
        return self._monotonic() + self._settings.deadline_s

    def _latest(self) -> int:
        """The highest version that is taken now; the one place where the present matters to an update."""
        until_us = (self._clock() + self._settings.max_ahead_s) * 1e6
        return int(min(until_us, MAX_VERSION))

    def _featurize(self, batch: Sequence[bytes | PostingUpdate], deadline: float, latest: int) -> Ready:
        # 1. decode, one bulk read, fold in arrival order
        fold = Fold(self._codec, self._store, batch, latest)
        # 2. summaries of each posting's newest text
        outage = self._summarize(fold, deadline)
        # 3. vectors of each posting whose texts are complete
        self._embed(fold, deadline)
        # 4. one bulk write of everything but the missing summaries
        self._write(fold)
        # 5. reprocess postings with a rejected row one row at a time, so that only that row fails
        again: dict[int, OutcomeRow | None] = {}
        for posting in fold.postings.values():
            if posting.needs_single_rows():
                outage = self._apart(batch, posting, again, deadline, latest) or outage
        # 6. rows of postings without their summary have no outcome yet: the caller calls again with them
        made = [again[i] if i in again else _row(fold, i, value) for i, value in enumerate(batch)]
        return made, outage

    def _apart(
        self,
        batch: Sequence[bytes | PostingUpdate],
        posting: FoldedPosting,
        done: dict[int, OutcomeRow | None],
        deadline: float,
        latest: int,
    ) -> ModelUnavailable | None:
        """Do a posting's rows one at a time, into `done`: None from the first one on that waits for a summary."""
        outage: ModelUnavailable | None = None
        for i in posting.rows:
            done[i] = None
            if outage is None:
                (done[i],), outage = self._featurize([batch[i]], deadline, latest)
        return outage

    def _summarize(self, fold: Fold, deadline: float) -> ModelUnavailable | None:
        """Summarize in one call, a text that several postings share once; returns the outage, if there was one."""
        waiting = list(fold.without_summary().values())
        if not waiting:
            return None
        texts = [postings[0].input_text for postings in waiting]
        answers = self._summarizer.summarize_many(texts, max(0.0, deadline - self._monotonic()))
        outage: ModelUnavailable | None = None
        for postings, answer in zip(waiting, answers, strict=True):
            if isinstance(answer, SummaryUnavailable):
                outage = ModelUnavailable(answer.reason, retry_after_s=answer.retry_after_s)
                for posting in postings:
                    posting.waits = True
                continue
            postings[0].summarizer_row = postings[0].content_rows[-1]
            for posting in postings:
                posting.take_answer(answer)
        return outage

    def _embed(self, fold: Fold, deadline: float) -> None:
        if self._vectors is None:
            return
        wanting = {i: p.record for i, p in fold.postings.items() if p.record is not None and p.wants_vector()}
        made = self._vectors.fill(list(wanting.values()), deadline)
        for posting_id, record in zip(wanting, made, strict=True):
            fold.postings[posting_id].record = record

    def _write(self, fold: Fold) -> None:
        """Write what changed; a posting whose record or text the store refuses has failed."""
        writes = [write for posting in fold.postings.values() if (write := posting.write()) is not None]
        results = self._store.merge_many(writes) if writes else []
        for write, result in zip(writes, results, strict=True):
            posting = fold.postings[write.posting_id]
            if isinstance(result, bytes):
                posting.stored = result
            else:
                posting.failure = str(result)


def _complete(rows: Sequence[OutcomeRow | None], outage: ModelUnavailable | None) -> list[OutcomeRow]:
    if outage is not None:
        raise outage
    return [row for row in rows if row is not None]


def _row(fold: Fold, i: int, value: bytes | PostingUpdate) -> OutcomeRow | None:
    posting = fold.posting_of[i]
    original = value if isinstance(value, bytes) else b""
    if posting is None:
        return OutcomeRow(Outcome.DEAD_LETTERS, "", original, reason=fold.reasons[i])
    if posting.waits:
        return None
    if posting.failure is not None:
        return OutcomeRow(Outcome.DEAD_LETTERS, posting.posting_id, original, reason=posting.failure)
    called, record = posting.summarizer_row == i, posting.record
    tokens = 0, 0
    if fold.outcomes[i] is Outcome.SUMMARIZED and record is not None:
        tokens = record.input_tokens, record.summary_tokens
    what = fold.outcomes[i], posting.posting_id, posting.stored, called, None
    return OutcomeRow(*what, *tokens, fold.alert_reasons[i])
