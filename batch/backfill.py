"""Run a backfill from its settings to its report: survey the catalog, do the work, add up the counts."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

from batch.catalog import Split, list_files, split_files
from batch.engine import BackfillEngine
from batch.estimate import measured_rate
from batch.ledger import Ledger
from batch.progress import BackfillProgress
from batch.report import BackfillReport, progress_line
from batch.run_table import close_run, open_run
from batch.settings import BackfillMode, BackfillSettings
from batch.split_folder import Folder
from batch.state_lock import held
from batch.survey import finish_survey, surveyed_rows
from batch.worker import Task, paced
from models.client.embedder import open_embedder
from models.summarizer import Summarizer
from pipeline.publish import OpenPublisher
from pipeline.refresh import served_embedder, served_generation
from schemas.errors import ModelUnavailable, StoreUnavailable
from storage.couchbase.url import without_login
from storage.features import FeatureStore
from storage.opening import open_store

#: How long the model server may take to answer before the backfill begins.
PROBE_S = 15.0
PROGRESS_S = 2.0

Tell = Callable[[str], object]


def backfill(
    settings: BackfillSettings, engine: BackfillEngine, tell: Tell, publisher: OpenPublisher | None = None
) -> BackfillReport:
    """Do the backfill that `settings` describe, going on where an earlier process of the same run stopped.

    `tell` gets lines about the progress. `publisher`, if any, is opened by each worker and gets every record that the
    run changes. Raises ConfigError, StoreUnavailable or ModelUnavailable before anything is written if the store or the
    model server cannot be reached, or another backfill works with the state folder; later, the error of an outage that
    lasted longer than `patience_s`.
    """
    began = time.monotonic()
    files = list_files(settings.catalog)
    splits = split_files(files, parallelism=settings.parallelism, split_bytes=settings.split_mib << 20)
    summarizer = paced(settings)
    generation, vector_model = _generation(summarizer, settings), _vector_model(settings)
    with closing(open_store(settings.store_url)) as kv, held(settings.state, tell):
        run = open_run(settings, files, generation, vector_model)
        resumed, ledger = surveyed_rows(run) is not None, Ledger(run)
        tell(
            f"{'going on with' if resumed else 'run'} {run.address}: {len(files)} files, {len(splits)} splits"
        )
        if not resumed:
            places = engine.repeated(splits, run.address, settings.reading)
            finish_survey(splits, places, _missing(FeatureStore(kv), settings.mode), run)
        before, began_work = ledger.rows_done(), time.monotonic()
        with _telling(tell, ledger, surveyed_rows(run) or 0, before):
            task = Task(
                settings=settings,
                run=run.address,
                generation=generation,
                vector_model=vector_model,
                publisher=publisher,
            )
            engine.work(_unfinished(ledger, splits), task)
        ended_work = time.monotonic()
    report = BackfillReport(
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


def _total(ledger: Ledger, splits: Sequence[Split], run: Folder) -> BackfillProgress:
    """The counts of all splits; raises StoreUnavailable if the ledger lacks rows of tasks that ended well."""
    total = BackfillProgress.total(ledger.progress_many([split.number for split in splits]))
    if not total.finished:
        raise StoreUnavailable(
            f"{run.address} says that rows are left, though every task ended well: run the same command again"
        )
    return total


def _rate(settings: BackfillSettings, summarizer: Summarizer, splits: Sequence[Split]) -> float:
    """Summaries a second of all tasks, for the hours of a dry run: the rate given, or measured on the first texts."""
    if settings.assume_rate_per_s or not settings.dry_run or not splits:
        return settings.assume_rate_per_s
    return settings.parallelism * measured_rate(summarizer, splits[0], settings.deadline_s, settings.reading)


def _missing(store: FeatureStore, mode: BackfillMode) -> Callable[[Sequence[str]], list[bool]]:
    """A function that says which postings the store does not have; in other modes than MISSING it asks nothing."""
    if mode is not BackfillMode.MISSING:
        return lambda ids: [False] * len(ids)
    return lambda ids: [raw is None for raw in store.read_raw(ids)]


def _generation(summarizer: Summarizer, settings: BackfillSettings) -> int:
    """The generation that the model server answers with; raises ModelUnavailable, naming the server, in an outage."""
    try:
        return served_generation(summarizer, PROBE_S)
    except ModelUnavailable as error:
        raise ModelUnavailable(
            f"summarizer {settings.summarizer_url}: {error}; nothing was begun",
            retry_after_s=error.retry_after_s,
        ) from error


def _vector_model(settings: BackfillSettings) -> str:
    """The model that the embedder answers with, "" without one; raises ModelUnavailable, naming the server."""
    if not settings.embedder_url or settings.dry_run:
        return ""
    try:
        return served_embedder(open_embedder(settings.embedder_url), PROBE_S)
    except ModelUnavailable as error:
        raise ModelUnavailable(
            f"embedder {settings.embedder_url}: {error}; nothing was begun",
            retry_after_s=error.retry_after_s,
        ) from error


@contextmanager
def _telling(tell: Tell, ledger: Ledger, rows: int, began_with: int) -> Iterator[None]:
    """Tell the progress every two seconds, as the ledger has it, while the body runs."""
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
