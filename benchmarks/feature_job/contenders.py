"""Who is compared on the feature job's work: the job on its own cluster, and the peers as processes."""

import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.common.broker import BUILD, in_home
from benchmarks.common.sampling import Roles
from nearline.stack.flink import feature_job, jobmanager, taskmanager
from nearline.stack.processes import marked, reap, spawn, stop, tail
from nearline.stack.settings import StackSettings
from nearline.stack.supervisor import Supervisor

HOME = BUILD / "bench-job"
STORE = BUILD / "bench-store"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The running broker, and how durable the store is: `commit` or `os`."""

    broker: StackSettings
    sync: str

    @property
    def store_url(self) -> str:
        """A store that no run shares with another: it is removed before each."""
        return f"lmdb://{STORE}?sync={self.sync}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureJob:
    """Ours: JobManager, TaskManager and the job by `flink run`, as the local stack does it.

    `most`: how many updates it is given at most, where all would take too long.
    """

    parallelism: int
    batch_size: int
    most: int | None = None

    @property
    def name(self) -> str:
        """How tables call it."""
        return f"feature job, parallelism {self.parallelism}, batch {self.batch_size}"

    @contextmanager
    def running(self, setup: Setup) -> Iterator[Callable[[], Roles]]:
        """Started under a consumer group of its own; who its processes are."""
        settings = in_home(
            setup.broker,
            HOME,
            store=setup.store_url,
            parallelism=self.parallelism,
            batch_size=self.batch_size,
        )
        settings.home.mkdir(parents=True, exist_ok=True)
        job = feature_job(settings)
        job = replace(job, command=(*job.command, "--group", f"bench-{uuid.uuid4()}"))
        supervisor = Supervisor(settings, [[jobmanager(settings), taskmanager(settings)], [job]])
        try:
            supervisor.start()
            yield lambda: {**_flink_roles(settings.home), **_broker_role(setup)}
        finally:
            supervisor.stop()


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One of `benchmarks.feature_job.peers`, as one process or several in one group."""

    peer: str
    processes: int = 1
    batch_size: int = 1000
    most: int | None = None

    @property
    def name(self) -> str:
        """How tables call it."""
        return self.peer if self.processes == 1 else f"{self.peer}, {self.processes} processes"

    @contextmanager
    def running(self, setup: Setup) -> Iterator[Callable[[], Roles]]:
        """Its processes, started under a consumer group of their own; who they are."""
        log = HOME / "logs" / f"{self.peer}.log"
        command = [
            *(sys.executable, "-m", "benchmarks.feature_job.peers", self.peer),
            *("--bootstrap", setup.broker.bootstrap, "--store", setup.store_url),
            *("--group", f"bench-{uuid.uuid4()}", "--batch-size", str(self.batch_size)),
        ]
        started = [
            spawn(command, home=HOME, component="peer", log=log, env={}) for _ in range(self.processes)
        ]
        try:
            yield lambda: {"Python": marked(HOME, "peer"), **_broker_role(setup)}
        finally:
            for process in started:
                stop(process, 20)
            reap(HOME)
        if failed := [process.returncode for process in started if process.returncode not in (0, -15)]:
            raise RuntimeError(f"{self.name} ended with {failed}:\n{tail(log)}")


Contender = FeatureJob | Peer


def _flink_roles(home: Path) -> Roles:
    task = marked(home, "taskmanager")
    return {
        "Python": [process for process in task if "python" in process.name()],
        "TaskManager": [process for process in task if "java" in process.name()],
        "JobManager": marked(home, "jobmanager"),
    }


def _broker_role(setup: Setup) -> Roles:
    return {"broker": marked(setup.broker.home, "kafka")}
