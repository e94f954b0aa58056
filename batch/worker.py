"""What one task does, chunk by chunk: store, summarizer and featurizer opened in its own process. No Spark here."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from typing_extensions import override

from batch.catalog import Split
from batch.estimate import Counting
from batch.first_reads import FirstSeen
from batch.ledger import Ledger, Notes
from batch.modes import ChunkStep, Done, Update
from batch.progress import Progress
from batch.readers import Broken, Row, read_rows
from batch.rows import BadRow, data_of, dead_letter, in_sample, parse
from batch.settings import BackfillSettings
from batch.split_folder import Folder
from models.client.http import ClientConfig
from models.client.remote import open_summarizer
from models.summarizer import ModelFailure, Rejected, Summarizer, Summary
from pipeline.control.pace import Pace, PacedSummarizer
from pipeline.featurize import Featurizer, FeaturizeSettings
from pipeline.outages import outlast
from pipeline.publish import OpenPublisher
from pipeline.refresh import Refresher
from schemas.records import Outcome, PostingUpdate
from storage.base import KeyValue
from storage.features import FeatureStore
from storage.opening import open_store
from storage.overlay import Overlay

log = logging.getLogger(__name__)
MAX_BACKOFF_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What travels to each worker: the settings, the run's folder, the generation that stale means, a way out."""

    settings: BackfillSettings
    run: str
    generation: int
    publisher: OpenPublisher | None = None


class Remembering(Summarizer):
    """A summarizer that asks for each text once a chunk, also when an outage makes the chunk start again."""

    def __init__(self, summarizer: Summarizer) -> None:
        self._summarizer = summarizer
        self._known: dict[str, Summary | ModelFailure] = {}

    @override
    def summarize_many(self, texts: Sequence[str], deadline_s: float) -> list[Summary | ModelFailure]:
        new = [text for text in texts if text not in self._known]
        answers = dict(zip(new, self._summarizer.summarize_many(new, deadline_s), strict=True)) if new else {}
        self._known.update((t, a) for t, a in answers.items() if isinstance(a, Summary | Rejected))
        return [self._known.get(text) or answers[text] for text in texts]

    def forget(self) -> None:
        """The chunk is done."""
        self._known.clear()


class SplitWorker:
    """Works on splits one after the other; several may do so in several processes."""

    def __init__(
        self,
        task: Task,
        *,
        kv: KeyValue | None = None,
        summarizer: Summarizer | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Opens what the settings name, or takes a store and a summarizer. Raises ConfigError, StoreUnavailable."""
        settings = self._settings = task.settings
        self._ledger, self._run = Ledger(Folder(task.run)), Folder(task.run)
        self._letters = Folder(settings.dead_letters or f"{task.run}/dead_letters")
        self._sleep = sleep
        self._summarizer = Remembering(summarizer or _summarizer(task))
        self._kv = kv or open_store(settings.store_url)
        self._glass = Overlay(self._kv) if settings.dry_run else None
        self._kv = self._glass or self._kv
        self._store = FirstSeen(self._kv)
        self._publisher = task.publisher() if task.publisher and not settings.dry_run else None
        limits = FeaturizeSettings(deadline_s=settings.deadline_s)
        # what is refreshed is read as it is now; only outcomes are told from what was first seen
        refresher = Refresher(FeatureStore(self._kv), self._summarizer, deadline_s=settings.deadline_s)
        self._step = ChunkStep(
            self._store,
            Featurizer(self._store, self._summarizer, limits),
            refresher,
            settings.mode,
            task.generation,
        )

    def close(self) -> None:
        """Release the store and the publisher."""
        self._kv.close()
        if self._publisher is not None:
            self._publisher.close()

    def run(self, split: Split) -> Iterator[Progress]:
        """Go on where the split stands, a chunk at a time. Raises an outage that lasted longer than `patience_s`."""
        notes = self._ledger.notes(split.number)
        progress = self._ledger.progress(split.number)
        rows = islice(read_rows(split), progress.rows_done, None)
        journaled = before = progress.rows_done
        while not progress.finished:
            chunk = list(islice(rows, self._settings.chunk_rows))
            before = progress.rows_done
            made, letters = self._chunk(split, notes, chunk, progress)
            made.finished = len(chunk) < self._settings.chunk_rows
            # effects are in the store; the letters follow, and then what says that both are done
            if letters:
                self._letters.write(f"{split.number:06}-{before:012}.jsonl", b"".join(letters))
            progress = self._commit(split, before, made)
            # another attempt of this task may still be in this chunk, but in none before it
            if journaled != before:
                self._ledger.drop_journal(split.number, journaled)
            journaled = before
            if progress.rows_done != before + len(chunk):
                # another attempt is further: go on from where it is
                rows = islice(read_rows(split), progress.rows_done, None)
            yield progress
        self._ledger.drop_journal(split.number, journaled)

    def _commit(self, split: Split, before: int, made: Progress) -> Progress:
        now = self._ledger.progress(split.number)
        if now.rows_done > before:
            return now
        self._ledger.commit(split.number, before, made)
        return made

    def _chunk(
        self, split: Split, notes: Notes, chunk: Sequence[Row | Broken], sofar: Progress
    ) -> tuple[Progress, list[bytes]]:
        """The counts with this chunk's, and the dead letters."""
        made = Progress.total([sofar])
        made.rows_done += len(chunk)
        updates, bad = self._read(notes, chunk, made)
        begun = self._ledger.journal(split.number, sofar.rows_done)
        self._store.begin(begun, lambda held: self._ledger.write_journal(split.number, sofar.rows_done, held))
        done = outlast(
            lambda: self._attempt(updates),
            max_backoff_s=MAX_BACKOFF_S,
            patience_s=self._settings.patience_s,
            sleep=self._sleep,
        )
        self._summarizer.forget()
        if self._glass is not None:
            self._glass.wipe()
        sources = {row.number: row for row in chunk}
        for update, result in zip(updates, done, strict=True):
            _count(made, result)
            if result.outcome is Outcome.DEAD_LETTERS:
                bad[update.number] = BadRow(data_of(sources[update.number]), result.reason)
        letters = [dead_letter(split.address, notes.base + n, bad[n]) for n in sorted(bad)]
        return made, letters

    def _attempt(self, updates: Sequence[Update]) -> list[Done]:
        self._store.again()
        return self._published(updates, self._step.run(updates))

    def _published(self, updates: Sequence[Update], done: Sequence[Done]) -> list[Done]:
        """Send the records that changed; the rows of one that cannot be sent are dead letters."""
        if self._publisher is None:
            return list(done)
        refused = self._publisher.publish_many(self._store.changed())
        reasons = [refused.get(u.update.posting_id) for u in updates]
        return [
            d if reason is None else Done(outcome=Outcome.DEAD_LETTERS, reason=reason)
            for d, reason in zip(done, reasons, strict=True)
        ]

    def _read(
        self, notes: Notes, chunk: Sequence[Row | Broken], made: Progress
    ) -> tuple[list[Update], dict[int, BadRow]]:
        """The chunk's updates that are in the sample, and its bad rows by their numbers; both counted as rows in."""
        updates: list[Update] = []
        bad: dict[int, BadRow] = {}
        for row in chunk:
            event = parse(row)
            key = event.data if isinstance(event, BadRow) else event.posting_id.encode()
            if not in_sample(key, self._settings.sample):
                made.not_sampled += 1
                continue
            made.rows_in += 1
            if isinstance(event, BadRow):
                bad[row.number] = event
                made.outcomes[Outcome.DEAD_LETTERS] += 1
                continue
            update = PostingUpdate(
                posting_id=event.posting_id,
                version=notes.versions.get(row.number, event.instant_us),
                op=event.op,
                posting=event.posting,
            )
            updates.append(Update(row.number, update, row.number in notes.again))
        return updates, bad


def _summarizer(task: Task) -> Summarizer:
    return Counting(task.settings, task.generation) if task.settings.dry_run else paced(task.settings)


def paced(settings: BackfillSettings) -> PacedSummarizer:
    """The summarizer at this task's part of the limits. Raises ConfigError."""
    share = settings.concurrency // settings.parallelism
    tokenizer = Path(settings.tokenizer_dir) if settings.tokenizer_dir else None
    config = ClientConfig(concurrency=share, retry_busy=False)
    inner = open_summarizer(settings.summarizer_url, tokenizer, config)
    return PacedSummarizer(
        inner, Pace(in_flight=share, rate_per_s=settings.rate_per_s / settings.parallelism)
    )


def _count(made: Progress, done: Done) -> None:
    made.outcomes[done.outcome] += 1
    made.left_alone += done.left_alone
    made.summarizer_calls += done.summarizer_called
    made.tokens_before += done.tokens_before
    made.tokens_after += done.tokens_after
