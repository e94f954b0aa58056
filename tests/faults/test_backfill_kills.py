"""A backfill on a real standalone master and worker, whose driver, executor or Python worker is killed in the middle.

`make faults` runs this; KILLS sets the number of kills, SEED what is killed and when.
"""

import contextlib
import json
import os
import random
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from batch.ledger import Ledger
from batch.split_folder import Folder
from models.summarizer import InstantSummarizer
from nearline.stack.processes import wait_until
from nearline.stack.tools import java_home
from pipeline.featurize import Featurizer
from storage.features import FeatureStore
from storage.opening import open_store
from tests.batch.catalogs import postings, stored, write
from tests.faults.spark_cluster import standalone, stop_tree
from tests.support.orders import push, updates

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]

KILLS = int(os.environ.get("KILLS", "20"))
SEED = int(os.environ.get("SEED", "1"))
ROOT = Path(__file__).parents[2]
POSTINGS = 6_000
EXECUTOR, PYTHON_WORKER = "CoarseGrainedExecutorBackend", "pyspark.daemon"


class Run:
    """One backfill by `nearline backfill submit`, started as often as its driver dies."""

    def __init__(self, home: Path, master: str, catalog: Path) -> None:
        self._home = home
        self._env = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "JAVA_HOME": str(java_home()),
            "SPARK_LOCAL_IP": "127.0.0.1",
        }
        self.report = home / "report.json"
        self._command = [
            *(sys.executable, "-m", "nearline", "backfill", "submit", str(catalog), "--master", master),
            *(
                "--store",
                f"lmdb://{home}/store",
                "--state",
                str(home / "state"),
                "--report",
                str(self.report),
            ),
            *("--chunk-rows", "20", "--patience-s", "30", "--conf", "spark.driver.host=127.0.0.1"),
            *("--conf", "spark.cores.max=2", "--pyfiles", str(home / "backfill.zip")),
        ]
        self._driver: subprocess.Popen[bytes] | None = None

    def start(self, *more: str) -> subprocess.Popen[bytes]:
        with (self._home / "driver.log").open("ab") as log:
            self._driver = subprocess.Popen(
                [*self._command, *more], env=self._env, cwd=self._home, stdout=log, stderr=log
            )
        return self._driver

    def rows_done(self) -> int:
        runs = list((self._home / "state").glob("*/run-*"))
        return max((Ledger(Folder(str(run))).rows_done() for run in runs), default=0)

    def kill_driver(self) -> None:
        assert self._driver is not None
        stop_tree(self._driver.pid)
        self._driver.wait()

    def logs(self) -> str:
        return (self._home / "driver.log").read_text()[-3000:]


def processes_of(home: Path, mark: str) -> list[psutil.Process]:
    """Executors of this cluster, or the Python workers that theirs forked."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = " ".join(process.cmdline())
            if mark in line and (str(home) in line or str(home) in process.cwd()):
                found.append(process)
    return found


def kill_one(home: Path, run: Run, victim: str) -> bool:
    """Whether there was one to kill."""
    if victim == "driver":
        run.kill_driver()
        run.start("--max-rate", "60")
        return True
    found = processes_of(home, EXECUTOR if victim == "executor" else PYTHON_WORKER)
    for process in found[-1:]:
        with contextlib.suppress(psutil.Error):
            process.kill()
    return bool(found)


def seed_newer(home: Path) -> dict[str, str]:
    """Every seventh posting has been updated by the stream since the catalog was written; their titles."""
    newer = [{**row, "title": "Newer", "updated_at": "2025-06-01"} for row in postings(POSTINGS)[::7]]
    path = write(home / "newer.jsonl", newer)
    with closing(open_store(f"lmdb://{home}/store")) as kv:
        push(Featurizer(FeatureStore(kv), InstantSummarizer()), updates(path), 100)
    return {str(row["id"]): "Newer" for row in newer}


def test_driver_executor_and_worker_killed_again_and_again_end_in_exact_totals(tmp_path: Path) -> None:
    moments = random.Random(SEED)
    newer = seed_newer(tmp_path)
    catalog = write(tmp_path / "c.jsonl", postings(POSTINGS))
    killed: list[str] = []
    with standalone(tmp_path) as master:
        run = Run(tmp_path, master, catalog)
        run.start("--max-rate", "60")
        while len(killed) < KILLS:
            before = run.rows_done()
            moved = wait_until(lambda: run.rows_done() > before, 120)  # noqa: B023
            assert moved, f"no progress after {killed}: {run.logs()}"
            time.sleep(moments.uniform(0.0, 1.5))
            victim = moments.choice(["driver", "executor", "python worker"])
            if kill_one(tmp_path, run, victim):
                killed.append(victim)
        assert run.rows_done() < POSTINGS, "the kills came too late to matter"
        run.kill_driver()
        assert run.start().wait(timeout=300) == 0, run.logs()
    figures = json.loads(run.report.read_text())
    print(f"killed {killed}; {figures}")
    assert figures["resumed"]
    assert figures["unexplained"] == 0
    assert (figures["rows_in"], figures["stale"]) == (POSTINGS, len(newer))
    assert figures["summarized"] == POSTINGS - len(newer)
    titles = {posting_id: record.title for posting_id, record in stored(f"lmdb://{tmp_path}/store").items()}
    assert titles == {str(row["id"]): row["title"] for row in postings(POSTINGS)} | newer
