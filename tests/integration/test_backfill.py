"""Backfills by a real local Spark: totals, modes, kills, and a stream that races one."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from batch.backfill import backfill
from batch.report import Report
from batch.spark import SparkEngine, local_session
from models.summarizer import InstantSummarizer
from nearline.stack.processes import wait_until
from nearline.stack.tools import java_home
from pipeline.featurize import Featurizer
from storage.features import FeatureStore
from storage.opening import open_store
from tests.batch import catalogs
from tests.batch.catalogs import letters, postings, stored, write
from tests.support.orders import check_plainly, good_lines, push, sequential, shuffled, updates

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(600),
    # PySpark leaves the sockets of what it collected to the garbage collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def engine() -> Iterator[SparkEngine]:
    """One small Spark for these tests."""
    os.environ |= {"JAVA_HOME": str(java_home()), "PYSPARK_PYTHON": sys.executable}
    session = local_session(2)
    yield SparkEngine(lambda: session, 2)
    session.stop()


def run(engine: SparkEngine, tmp_path: Path, *catalog: Path, **fields: object) -> Report:
    return backfill(catalogs.settings(tmp_path, *catalog, **fields), engine, lambda _line: None)


def test_totals_add_up_over_all_formats_then_nothing_is_missing_then_a_new_generation_refreshes_all(
    engine: SparkEngine, tmp_path: Path
) -> None:
    folder = tmp_path / "catalog"
    folder.mkdir()
    for n, name in enumerate(("a.jsonl", "b.jsonl.gz", "c.parquet", "d.avro")):
        write(folder / name, postings(300, 300 * n))
    (folder / "e.jsonl").write_text('{"title": "no id"}\n')
    first = run(engine, tmp_path, folder)
    assert (first.total.rows_in, first.total.outcomes["summarized"]) == (1201, 1200)
    assert [letter["row"] for letter in letters(first)] == [1]
    missing = run(engine, tmp_path, folder, mode="missing").total
    assert (missing.summarizer_calls, missing.left_alone) == (0, 1200)
    stale = run(engine, tmp_path, folder, mode="stale", summarizer_url="instant:2").total
    assert (stale.outcomes["summarized"], stale.summarizer_calls) == (1200, 1200)
    assert {r.generation for r in stored(f"lmdb://{tmp_path}/store").values()} == {2}


def test_a_stream_that_races_the_backfill_and_the_backfill_leave_what_the_sequential_fold_leaves(
    engine: SparkEngine, tmp_path: Path
) -> None:
    sample = good_lines(tmp_path / "sample.jsonl")
    catalog = shuffled(sample, 5, tmp_path / "c.jsonl")
    url, events, done = f"lmdb://{tmp_path}/store?sync=os", updates(sample), threading.Event()
    rounds: list[int] = []

    def race() -> None:
        with closing(open_store(url)) as kv:
            featurizer = Featurizer(FeatureStore(kv), InstantSummarizer())
            while not done.is_set() or not rounds:
                push(featurizer, events[:: -1 if len(rounds) % 2 else 1], 5)
                rounds.append(len(events))

    stream = threading.Thread(target=race)
    stream.start()
    try:
        report = run(engine, tmp_path, catalog, store_url=url, chunk_rows=10, parallelism=2)
    finally:
        done.set()
        stream.join()
    assert report.total.rows_in == len(events)
    records = list(stored(url).values())
    assert records == sequential(sample)
    check_plainly(sample, records, tmp_path)


def test_a_new_generation_reaches_every_posting_while_an_older_stream_is_replayed(
    engine: SparkEngine, tmp_path: Path
) -> None:
    path = write(tmp_path / "c.jsonl", postings(400))
    run(engine, tmp_path, path)
    done = threading.Event()

    def race() -> None:
        with closing(open_store(f"lmdb://{tmp_path}/store")) as kv:
            featurizer = Featurizer(FeatureStore(kv), InstantSummarizer())
            while not done.is_set():
                push(featurizer, updates(path), 50)

    stream = threading.Thread(target=race)
    stream.start()
    try:
        report = run(engine, tmp_path, path, mode="stale", summarizer_url="instant:2")
    finally:
        done.set()
        stream.join()
    assert report.total.outcomes["summarized"] == 400
    assert {r.generation for r in stored(f"lmdb://{tmp_path}/store").values()} == {2}


def test_a_worker_and_then_the_driver_killed_in_the_middle_end_in_exact_totals(tmp_path: Path) -> None:
    path, store = write(tmp_path / "c.jsonl", postings(600)), f"lmdb://{tmp_path}/store"
    command = [
        *(sys.executable, "-m", "nearline", "backfill", str(path), "--store", store, "--parallelism", "1"),
        *("--state", str(tmp_path / "state"), "--chunk-rows", "20", "--report", str(tmp_path / "r.json")),
    ]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "JAVA_HOME": str(java_home())}
    slow = subprocess.Popen([*command, "--max-rate", "30"], env=env, cwd=tmp_path, start_new_session=True)

    def at_row(row: int) -> bool:
        names = [path.name for path in (tmp_path / "state").glob("*/run-*/progress/*.json")]
        return any(int(name[7:19]) >= row for name in names)

    try:
        assert wait_until(lambda: at_row(100), 240)
        _worker_of(slow.pid).kill()
        assert wait_until(lambda: at_row(300), 240)
    finally:
        os.killpg(slow.pid, signal.SIGKILL)
        slow.wait()
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    figures = json.loads((tmp_path / "r.json").read_text())
    assert figures["resumed"]
    assert (figures["rows_in"], figures["summarized"], figures["unexplained"]) == (600, 600, 0)
    assert len(stored(store)) == 600


def _worker_of(driver: int) -> psutil.Process:
    """A Python worker that Spark's daemon has forked; it has the daemon's command line."""
    found: list[psutil.Process] = []

    def forked() -> bool:
        found.clear()
        for process in psutil.Process(driver).children(recursive=True):
            with contextlib.suppress(psutil.Error):  # a zombie, or gone meanwhile
                if "pyspark.daemon" in process.cmdline():
                    found.append(process)
        return len(found) > 1

    assert wait_until(forked, 60), "no Python worker"
    return found[-1]
