"""The work of one task, chunk by chunk, with store, summarizer and featurizer of its own. It knows no Spark."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from typing_extensions import override

from batch.catalog import Split
from batch.chunk_step import ChunkStep, NumberedUpdate, RowResult
from batch.estimate import CountingSummarizer
from batch.first_reads import FirstReadsStore
from batch.ledger import Ledger, Notes
from batch.progress import BackfillProgress
from batch.readers import read_rows
from batch.rows import BadRow, data_of, dead_letter, in_sample, parse
from batch.rows_read import CatalogRow, UnreadableRest
from batch.settings import BackfillSettings
from batch.split_folder import Folder
from models.client.embedder import open_embedder
from models.client.http import ClientConfig
from models.client.remote import open_summarizer
from models.summarizer import Summarizer, Summary, SummaryFailure, SummaryRejected
from pipeline.control.pace import Pace, PacedSummarizer
from pipeline.embedding import VECTOR_COUNTS, VectorCounts, VectorMaker
from pipeline.featurize import Featurizer, FeaturizeSettings
from pipeline.outages import outlast
from pipeline.publish import OpenPublisher
from pipeline.refresh import Refresher
from schemas.events import ParsedEvent
from schemas.records import Outcome
from schemas.traffic import TrafficClass
from storage.base import Clock, KeyValue
from storage.dry_run import DryRunStore
from storage.features import FeatureStore
from storage.opening import open_store

MAX_BACKOFF_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is sent to each worker: settings, the run's folder, the publisher.

    `generation` of the summaries and `vector_model`, which the servers answered with when the run began.
    """

    settings: BackfillSettings
    run: str
    generation: int
    vector_model: str = ""
    publisher: OpenPublisher | None = None


class CachingSummarizer(Summarizer):
    """A summarizer that remembers its answers during a chunk, so that a retried chunk does not pay for them again."""

    def __init__(self, summarizer: Summarizer) -> None:
        self._summarizer = summarizer
        self._known: dict[str, Summary | SummaryFailure] = {}

    @override
    def summarize_many(self, texts: Sequence[str], deadline_s: float) -> list[Summary | SummaryFailure]:
        """Ask only for texts without an answer in this chunk; SummaryUnavailable is asked for again."""
        new = [text for text in texts if text not in self._known]
        answers = dict(zip(new, self._summarizer.summarize_many(new, deadline_s), strict=True)) if new else {}
        self._known.update((t, a) for t, a in answers.items() if isinstance(a, Summary | SummaryRejected))
        return [self._known.get(text) or answers[text] for text in texts]

    def forget(self) -> None:
        """Forget the answers: the chunk is done."""
        self._known.clear()


class SplitWorker:
    """Works on splits one after the other; workers in several processes may work at the same time."""

    def __init__(
        self,
        task: Task,
        *,
        kv: KeyValue | None = None,
        summarizer: Summarizer | None = None,
        sleep: Callable[[float], object] = time.sleep,
        clock: Clock = time.time,
    ) -> None:
        """Open store and summarizer by the settings, unless given. Raises ConfigError, StoreUnavailable."""
        settings = self._settings = task.settings
        self._ledger, self._run = Ledger(Folder(task.run)), Folder(task.run)
        self._letters = Folder(settings.dead_letters or f"{task.run}/dead_letters")
        self._sleep = sleep
        self._summarizer = CachingSummarizer(summarizer or _summarizer(task))
        self._kv = kv or open_store(settings.store_url)
        self._dry_run = DryRunStore(self._kv) if settings.dry_run else None
        self._kv = self._dry_run or self._kv
        self._store = FirstReadsStore(self._kv)
        self._publisher = task.publisher() if task.publisher and not settings.dry_run else None
        self._vectors = _vectors(settings)
        limits = FeaturizeSettings(deadline_s=settings.deadline_s, max_ahead_s=settings.max_ahead_s)
        # refreshing reads the store as it is now; only outcomes compare with the records of the first attempt
        refresher = Refresher(
            FeatureStore(self._kv),
            self._summarizer,
            deadline_s=settings.deadline_s,
            vectors=self._vectors,
            vector_model=task.vector_model,
        )
        self._step = ChunkStep(
            self._store,
            Featurizer(self._store, self._summarizer, limits, clock=clock, vectors=self._vectors),
            refresher,
            settings.mode,
            task.generation,
            task.vector_model,
        )

    def close(self) -> None:
        """Release the store and the publisher."""
        self._kv.close()
        if self._publisher is not None:
            self._publisher.close()

    def run(self, split: Split) -> Iterator[BackfillProgress]:
        """Work on the split chunk by chunk, from where it stands; gives the counts after each chunk.

        Raises the error of an outage that lasted longer than `patience_s`.
        """
        notes = self._ledger.notes(split.number)
        progress = self._ledger.progress(split.number)
        rows = islice(read_rows(split), progress.rows_done, None)
        journaled = before = progress.rows_done
        while not progress.finished:
            chunk = list(islice(rows, self._settings.chunk_rows))
            before = progress.rows_done
            made, letters = self._chunk(split, notes, chunk, progress)
            made.finished = len(chunk) < self._settings.chunk_rows
            # order matters: store writes, dead letters, progress file; after a crash the chunk is repeated
            if letters:
                self._letters.write(f"{split.number:06}-{before:012}.jsonl", b"".join(letters))
            progress = self._commit(split, before, made)
            # another attempt of this task may still be working on this chunk, but on no earlier one
            if journaled != before:
                self._ledger.drop_journal(split.number, journaled)
            journaled = before
            if progress.rows_done != before + len(chunk):
                # another attempt has got further: go on from there
                rows = islice(read_rows(split), progress.rows_done, None)
            yield progress
        self._ledger.drop_journal(split.number, journaled)

    def _commit(self, split: Split, before: int, made: BackfillProgress) -> BackfillProgress:
        now = self._ledger.progress(split.number)
        if now.rows_done > before:
            return now
        self._ledger.commit(split.number, before, made)
        return made

    def _chunk(
        self,
        split: Split,
        notes: Notes,
        chunk: Sequence[CatalogRow | UnreadableRest],
        sofar: BackfillProgress,
    ) -> tuple[BackfillProgress, list[bytes]]:
        """Process a chunk; the counts including it, and its dead letters."""
        made = BackfillProgress.total([sofar])
        made.rows_done += len(chunk)
        updates, bad = self._read(notes, chunk, made)
        begun = self._ledger.journal(split.number, sofar.rows_done)
        self._store.begin(begun, lambda held: self._ledger.write_journal(split.number, sofar.rows_done, held))
        before = self._vector_counts()
        done = outlast(
            lambda: self._attempt(updates),
            max_backoff_s=MAX_BACKOFF_S,
            patience_s=self._settings.patience_s,
            sleep=self._sleep,
        )
        self._summarizer.forget()
        _count_vectors(made, before, self._vector_counts())
        if self._dry_run is not None:
            self._dry_run.forget_writes()
        sources = {row.number: row for row in chunk}
        for update, result in zip(updates, done, strict=True):
            _count(made, result)
            if result.outcome is Outcome.DEAD_LETTERS:
                bad[update.number] = BadRow(data_of(sources[update.number]), result.reason)
        letters = [dead_letter(split.address, notes.base + n, bad[n]) for n in sorted(bad)]
        return made, letters

    def _vector_counts(self) -> VectorCounts:
        return self._vectors.counts if self._vectors else VectorCounts()

    def _attempt(self, updates: Sequence[NumberedUpdate]) -> list[RowResult]:
        self._store.begin_again()
        return self._published(updates, self._step.run(updates))

    def _published(self, updates: Sequence[NumberedUpdate], done: Sequence[RowResult]) -> list[RowResult]:
        """Publish the records that changed; the rows of a posting that cannot be published are dead letters."""
        if self._publisher is None:
            return list(done)
        refused = self._publisher.publish_many(self._store.changed())
        reasons = [refused.get(u.update.posting_id) for u in updates]
        return [
            d if reason is None else RowResult(outcome=Outcome.DEAD_LETTERS, reason=reason)
            for d, reason in zip(done, reasons, strict=True)
        ]

    def _read(
        self, notes: Notes, chunk: Sequence[CatalogRow | UnreadableRest], made: BackfillProgress
    ) -> tuple[list[NumberedUpdate], dict[int, BadRow]]:
        """The chunk's updates that are in the sample, and its bad rows by number; counts both in `made`."""
        updates: list[NumberedUpdate] = []
        bad: dict[int, BadRow] = {}
        for row in chunk:
            event = parse(row, self._settings.reading)
            if not self._is_sampled(row, event):
                made.not_sampled += 1
                continue
            made.rows_in += 1
            if isinstance(event, BadRow):
                bad[row.number] = event
                made.outcomes[Outcome.DEAD_LETTERS] += 1
                continue
            update = event.update(notes.versions.get(row.number, event.instant_us))
            updates.append(NumberedUpdate(row.number, update, row.number in notes.again))
        return updates, bad

    def _is_sampled(self, row: CatalogRow | UnreadableRest, event: ParsedEvent | BadRow) -> bool:
        """Whether a row belongs to the sample; that rows cannot be read is told with every sample."""
        key = event.data if isinstance(event, BadRow) else event.posting_id.encode()
        return isinstance(row, UnreadableRest) or in_sample(key, self._settings.sample)


def _summarizer(task: Task) -> Summarizer:
    return (
        CountingSummarizer(task.settings, task.generation) if task.settings.dry_run else paced(task.settings)
    )


def _vectors(settings: BackfillSettings) -> VectorMaker | None:
    """What gives the records their vectors, at the lowest class of traffic. Raises ConfigError."""
    if not settings.embedder_url or settings.dry_run:
        return None
    share = max(1, settings.concurrency // settings.parallelism)
    config = ClientConfig(concurrency=share, traffic=TrafficClass.REFRESH)
    return VectorMaker(open_embedder(settings.embedder_url, config))


def paced(settings: BackfillSettings) -> PacedSummarizer:
    """The summarizer, limited to one task's part of concurrency and rate. Raises ConfigError."""
    share = settings.concurrency // settings.parallelism
    tokenizer = Path(settings.tokenizer_dir) if settings.tokenizer_dir else None
    config = ClientConfig(concurrency=share, retry_busy=False)
    inner = open_summarizer(settings.summarizer_url, tokenizer, config)
    return PacedSummarizer(
        inner, Pace(in_flight=share, rate_per_s=settings.rate_per_s / settings.parallelism)
    )


def _count(made: BackfillProgress, done: RowResult) -> None:
    made.outcomes[done.outcome] += 1
    made.left_alone += done.left_alone
    made.summarizer_calls += done.summarizer_called
    made.tokens_before += done.tokens_before
    made.tokens_after += done.tokens_after


def _count_vectors(made: BackfillProgress, before: VectorCounts, after: VectorCounts) -> None:
    for name in VECTOR_COUNTS:
        new = getattr(after, name) - getattr(before, name)
        setattr(made, f"vectors_{name}", getattr(made, f"vectors_{name}") + new)
