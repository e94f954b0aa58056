"""One chunk of updates by the rules of the mode: which are featurized, which left alone, which refreshed."""

from collections.abc import Sequence
from dataclasses import dataclass

from batch.settings import BackfillMode
from pipeline.featurize import Featurizer, OutcomeRow
from pipeline.refresh import Refresher, is_old
from schemas.keys import content_hash
from schemas.records import FeatureRecord, Outcome, PostingUpdate
from storage.features import FeatureStore


@dataclass(frozen=True, slots=True)
class NumberedUpdate:
    """An update and its row's number in the file.

    `again`: the store did not have the posting when the run began, so that it counts as missing though an earlier row
    of this run has brought it.
    """

    number: int
    update: PostingUpdate
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    """What one row did; tokens are 0 unless its text was summarized."""

    outcome: Outcome
    reason: str = ""
    left_alone: bool = False
    summarizer_called: bool = False
    tokens_before: int = 0
    tokens_after: int = 0


LEFT_ALONE = RowResult(outcome=Outcome.UNCHANGED, left_alone=True)


class ChunkStep:
    """Processes chunks in one mode.

    In mode STALE, summaries of a generation older than `generation` are refreshed, and with `vector_model` also the
    postings that have no vector of it.
    """

    def __init__(
        self,
        store: FeatureStore,
        featurizer: Featurizer,
        refresher: Refresher,
        mode: BackfillMode,
        generation: int,
        vector_model: str = "",
    ) -> None:
        self._store, self._featurizer, self._refresher = store, featurizer, refresher
        self._mode, self._generation, self._vector_model = mode, generation, vector_model

    def run(self, chunk: Sequence[NumberedUpdate]) -> list[RowResult]:
        """Process a chunk; what each row did, in order. Raises as `featurize` does; then run the chunk again."""
        if self._mode is BackfillMode.ALL:
            return self._featurize(chunk)
        held = self._store.get_many([u.update.posting_id for u in chunk])
        if self._mode is BackfillMode.MISSING:
            wanted = [record is None or u.again for u, record in zip(chunk, held, strict=True)]
            return self._some(chunk, wanted)
        changed = [_changed(u.update, record) for u, record in zip(chunk, held, strict=True)]
        return self._refresh(held, self._some(chunk, changed))

    def _some(self, chunk: Sequence[NumberedUpdate], wanted: Sequence[bool]) -> list[RowResult]:
        done = iter(self._featurize([u for u, is_wanted in zip(chunk, wanted, strict=True) if is_wanted]))
        return [next(done) if is_wanted else LEFT_ALONE for is_wanted in wanted]

    def _featurize(self, chunk: Sequence[NumberedUpdate]) -> list[RowResult]:
        return [_done(row) for row in self._featurizer.featurize_decoded([u.update for u in chunk])]

    def _refresh(self, held: Sequence[FeatureRecord | None], done: list[RowResult]) -> list[RowResult]:
        """Refresh the stale postings; the first row of each has the outcome of its refresh."""
        first: dict[str, int] = {}
        for i, record in enumerate(held):
            if record is not None and is_old(record, self._generation, self._vector_model):
                first.setdefault(record.posting_id, i)
        for posting_id, now in self._refresher.refresh(list(first), self._generation).items():
            i = first[posting_id]
            if isinstance(now, str):
                done[i] = RowResult(outcome=Outcome.DEAD_LETTERS, reason=now)
            elif done[i].outcome is not Outcome.SUMMARIZED:
                done[i] = _refreshed(held[i], now)
        return done


def _changed(update: PostingUpdate, record: FeatureRecord | None) -> bool:
    """Whether the update's content differs from the record's; False if either is missing."""
    if record is None or update.posting is None:
        return False
    return content_hash(update.posting) != record.content_hash


def _done(row: OutcomeRow) -> RowResult:
    return RowResult(
        outcome=row.outcome,
        reason=row.reason or "",
        summarizer_called=row.summarizer_called,
        tokens_before=row.input_tokens,
        tokens_after=row.summary_tokens,
    )


def _refreshed(before: FeatureRecord | None, record: FeatureRecord) -> RowResult:
    """What a refresh did; where it only cleaned texts anew, the summary is the one from before."""
    if before is not None and _summary_of(before) == _summary_of(record):
        return RowResult(outcome=Outcome.METADATA_ONLY)
    return RowResult(
        outcome=Outcome.SUMMARIZED,
        summarizer_called=True,
        tokens_before=record.input_tokens,
        tokens_after=record.summary_tokens,
    )


def _summary_of(record: FeatureRecord) -> tuple[bytes, str, str]:
    return record.summary_hash, record.summary, record.model
