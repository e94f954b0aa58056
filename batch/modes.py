"""Which updates each mode sends through featurize, which it leaves alone, and which it refreshes."""

from collections.abc import Sequence
from dataclasses import dataclass

from batch.settings import Mode
from pipeline.featurize import Featurizer, OutcomeRow
from pipeline.refresh import Refresher, is_old
from schemas.keys import content_hash
from schemas.records import FeatureRecord, Outcome, PostingUpdate
from storage.features import FeatureStore


@dataclass(frozen=True, slots=True)
class Update:
    """An update and its place; `again`: the run itself brought the posting, so that it still counts as missing."""

    number: int
    update: PostingUpdate
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What one row did; tokens only where a text was summarized for it."""

    outcome: Outcome
    reason: str = ""
    left_alone: bool = False
    summarizer_called: bool = False
    tokens_before: int = 0
    tokens_after: int = 0


LEFT_ALONE = Done(outcome=Outcome.UNCHANGED, left_alone=True)


class ChunkStep:
    """One chunk of one mode; `generation` is what stale means: anything older."""

    def __init__(
        self, store: FeatureStore, featurizer: Featurizer, refresher: Refresher, mode: Mode, generation: int
    ) -> None:
        self._store, self._featurizer, self._refresher = store, featurizer, refresher
        self._mode, self._generation = mode, generation

    def run(self, chunk: Sequence[Update]) -> list[Done]:
        """What each row did, in order. Raises as `featurize` does; then the same chunk may be run again."""
        if self._mode is Mode.ALL:
            return self._featurize(chunk)
        held = self._store.get_many([u.update.posting_id for u in chunk])
        if self._mode is Mode.MISSING:
            wanted = [record is None or u.again for u, record in zip(chunk, held, strict=True)]
            return self._some(chunk, wanted)
        changed = [_changed(u.update, record) for u, record in zip(chunk, held, strict=True)]
        return self._refresh(held, self._some(chunk, changed))

    def _some(self, chunk: Sequence[Update], wanted: Sequence[bool]) -> list[Done]:
        done = iter(self._featurize([u for u, is_wanted in zip(chunk, wanted, strict=True) if is_wanted]))
        return [next(done) if is_wanted else LEFT_ALONE for is_wanted in wanted]

    def _featurize(self, chunk: Sequence[Update]) -> list[Done]:
        return [_done(row) for row in self._featurizer.featurize_decoded([u.update for u in chunk])]

    def _refresh(self, held: Sequence[FeatureRecord | None], done: list[Done]) -> list[Done]:
        """The first row of each posting that was stale answers for its refreshing."""
        first: dict[str, int] = {}
        for i, record in enumerate(held):
            if record is not None and is_old(record, self._generation):
                first.setdefault(record.posting_id, i)
        for posting_id, now in self._refresher.refresh(list(first), self._generation).items():
            i = first[posting_id]
            if isinstance(now, str):
                done[i] = Done(outcome=Outcome.DEAD_LETTERS, reason=now)
            elif done[i].outcome is not Outcome.SUMMARIZED:
                done[i] = _summarized(now)
        return done


def _changed(update: PostingUpdate, record: FeatureRecord | None) -> bool:
    """Whether the catalog brings another content than a posting's record has; a posting without a record is missing."""
    if record is None or update.posting is None:
        return False
    return content_hash(update.posting) != record.content_hash


def _done(row: OutcomeRow) -> Done:
    return Done(
        outcome=row.outcome,
        reason=row.reason or "",
        summarizer_called=row.summarizer_called,
        tokens_before=row.input_tokens,
        tokens_after=row.summary_tokens,
    )


def _summarized(record: FeatureRecord) -> Done:
    return Done(
        outcome=Outcome.SUMMARIZED,
        summarizer_called=True,
        tokens_before=record.input_tokens,
        tokens_after=record.summary_tokens,
    )
