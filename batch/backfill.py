"""A backfill from its settings to its report: survey, work, sum. An engine does the first two."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

from batch.catalog import list_files, split_files
from batch.engine import Engine
from batch.estimate import measured_rate
from batch.folder import Folder
from batch.ledger import Ledger
from batch.progress import Progress
from batch.report import Report, progress_line
from batch.runs import close_run, open_run
from batch.settings import BackfillSettings, Mode
from batch.survey import conclude, concluded
from batch.worker import Task, paced
from models.summarizer import Summarizer
from pipeline.publish import OpenPublisher
from pipeline.refresh import served_generation
from schemas.errors import ModelUnavailable, StoreUnavailable
from storage.base import open_store
from storage.couchbase_url import without_login
from storage.features import FeatureStore

#: How long the model server may take to answer before anything begins.
PROBE_S = 15.0
PROGRESS_S = 2.0

Tell = Callable[[str], object]


def backfill(
    settings: BackfillSettings, engine: Engine, tell: Tell, publisher: OpenPublisher | None = None
) -> Report:
    """Do what `settings` ask, going on where an earlier process of the same run stopped.

    `publisher`, if any, is opened by each worker and gets every record that the run changes.

    Raises ConfigError, StoreUnavailable or ModelUnavailable before anything is written when a part cannot be reached;
    later, an outage that lasted longer than `patience_s`.
    """
    began = time.monotonic()
    files = list_files(settings.catalog)
    splits = split_files(files, parallelism=settings.parallelism, split_bytes=settings.split_mib << 20)
    summarizer = paced(settings)
    generation = _generation(summarizer, settings)
    with closing(open_store(settings.store_url)) as kv:
        store = FeatureStore(kv)
        run = open_run(settings, files, generation)
        ledger = Ledger(run)
        began_with = ledger.rows_done()
        resumed = concluded(run) is not None
        tell(
            f"{'going on with' if resumed else 'run'} {run.address}: {len(files)} files, {len(splits)} splits"
        )
        if not resumed:
            places = engine.repeated(splits, run.address)
            conclude(splits, places, _missing(store, settings.mode), run)
        rows = concluded(run) or 0
        numbers = [split.number for split in splits]
        left = [s for s, p in zip(splits, ledger.progress_many(numbers), strict=True) if not p.finished]
        task = Task(settings=settings, run=run.address, generation=generation, publisher=publisher)
        began_work = time.monotonic()
        with _telling(tell, ledger, rows, began_with):
            engine.work(left, task)
        work_s = time.monotonic() - began_work
    total = Progress.total(ledger.progress_many(numbers))
    if not total.finished:
        raise StoreUnavailable(
            f"{run.address} says that rows are left, though every task ended well: run the same command again"
        )
    rate = settings.assume_rate_per_s
    if settings.dry_run and not rate and splits:
        rate = settings.parallelism * measured_rate(summarizer, splits[0], settings.deadline_s)
    report = Report(
        total=total,
        catalog=list(settings.catalog),
        store=without_login(settings.store_url),
        mode=settings.mode,
        dead_letters=settings.dead_letters or f"{run.address}/dead_letters",
        resumed=resumed,
        seconds=time.monotonic() - began,
        work_s=work_s,
        rows_here=total.rows_done - began_with,
        dry_run=settings.dry_run,
        rate_per_s=rate,
    )
    if settings.report:
        folder, _, name = settings.report.rpartition("/")
        Folder(folder or ".").write(name, report.to_json())
    close_run(run, report.to_json())
    return report


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
