"""A backfill from its settings to its report: survey, work, sum. An engine does the first two."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

from batch.catalog import Split, list_files, split_files
from batch.engine import Engine
from batch.estimate import measured_rate
from batch.ledger import Ledger
from batch.progress import Progress
from batch.report import Report, progress_line
from batch.run_table import close_run, open_run
from batch.settings import BackfillSettings, Mode
from batch.split_folder import Folder
from batch.survey import conclude, concluded
from batch.worker import Task, paced
from models.summarizer import Summarizer
from pipeline.publish import OpenPublisher
from pipeline.refresh import served_generation
from schemas.errors import ModelUnavailable, StoreUnavailable
from storage.couchbase.url import without_login
from storage.features import FeatureStore
from storage.opening import open_store

#: How long the model server may take to answer before anything begins.
PROBE_S = 15.0
PROGRESS_S = 2.0

Tell = Callable[[str], object]


def backfill(
    settings: BackfillSettings, engine: Engine, tell: Tell, publisher: OpenPublisher | None = None
) -> Report:
    """Do what `settings` ask, going on where an earlier process of the same run stopped.

    `publisher`, if any, is opened by each worker and gets every record that the run changes. Raises ConfigError,
    StoreUnavailable or ModelUnavailable before anything is written when a part cannot be reached; later, an outage
    that lasted longer than `patience_s`.
    """
    began = time.monotonic()
    files = list_files(settings.catalog)
    splits = split_files(files, parallelism=settings.parallelism, split_bytes=settings.split_mib << 20)
    summarizer = paced(settings)
    generation = _generation(summarizer, settings)
    with closing(open_store(settings.store_url)) as kv:
        run = open_run(settings, files, generation)
        resumed, ledger = concluded(run) is not None, Ledger(run)
        tell(
            f"{'going on with' if resumed else 'run'} {run.address}: {len(files)} files, {len(splits)} splits"
        )
        if not resumed:
            places = engine.repeated(splits, run.address)
            conclude(splits, places, _missing(FeatureStore(kv), settings.mode), run)
        before, began_work = ledger.rows_done(), time.monotonic()
        with _telling(tell, ledger, concluded(run) or 0, before):
            task = Task(settings=settings, run=run.address, generation=generation, publisher=publisher)
            engine.work(_unfinished(ledger, splits), task)
        ended_work = time.monotonic()
    report = Report(
        total=_total(ledger, splits, run),
        catalog=list(settings.catalog),
        store=without_login(settings.store_url),
        mode=settings.mode,
        dead_letters=settings.dead_letters or f"{run.address}/dead_letters",
        resumed=resumed,
        rows_here=ledger.rows_done() - before,
        dry_run=settings.dry_run,
        rate_per_s=_rate(settings, summarizer, splits),
        work_s=ended_work - began_work,
        seconds=time.monotonic() - began,
    )
    if settings.report:
        folder, _, name = settings.report.rpartition("/")
        Folder(folder or ".").write(name, report.to_json())
    close_run(run, report.to_json())
    return report


def _unfinished(ledger: Ledger, splits: Sequence[Split]) -> list[Split]:
    done = ledger.progress_many([split.number for split in splits])
    return [split for split, progress in zip(splits, done, strict=True) if not progress.finished]


def _total(ledger: Ledger, splits: Sequence[Split], run: Folder) -> Progress:
    """The counts of all splits; StoreUnavailable where the ledger disagrees with the tasks."""
    total = Progress.total(ledger.progress_many([split.number for split in splits]))
    if not total.finished:
        raise StoreUnavailable(
            f"{run.address} says that rows are left, though every task ended well: run the same command again"
        )
    return total


def _rate(settings: BackfillSettings, summarizer: Summarizer, splits: Sequence[Split]) -> float:
    """Summaries a second of all tasks, for a dry run's hours: as told, else measured on the first texts."""
    if settings.assume_rate_per_s or not settings.dry_run or not splits:
        return settings.assume_rate_per_s
    return settings.parallelism * measured_rate(summarizer, splits[0], settings.deadline_s)


def _missing(store: FeatureStore, mode: Mode) -> Callable[[Sequence[str]], list[bool]]:
    """Which of some postings the store does not have; no other mode needs to know."""
    if mode is not Mode.MISSING:
        return lambda ids: [False] * len(ids)
    return lambda ids: [raw is None for raw in store.read_raw(ids)]


def _generation(summarizer: Summarizer, settings: BackfillSettings) -> int:
    """The generation that answers; an outage names the server that is away."""
    try:
        return served_generation(summarizer, PROBE_S)
    except ModelUnavailable as error:
        raise ModelUnavailable(
            f"summarizer {settings.summarizer_url}: {error}; nothing was begun",
            retry_after_s=error.retry_after_s,
        ) from error


@contextmanager
def _telling(tell: Tell, ledger: Ledger, rows: int, began_with: int) -> Iterator[None]:
    """A line every two seconds, read from the ledger."""
    done, began = threading.Event(), time.monotonic()

    def watch() -> None:
        while not done.wait(PROGRESS_S):
            tell(progress_line(ledger.rows_done(), rows, began_with, time.monotonic() - began))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
