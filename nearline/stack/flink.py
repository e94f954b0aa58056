"""The stack's Flink: a standalone cluster from the pip package, with the feature job on it."""

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import Any

import httpx

from nearline.stack.component import HTTP, Component, Submission, answers
from nearline.stack.jars import connector
from nearline.stack.settings import StackSettings
from nearline.stack.tools import java_home
from pipeline.pyfiles import build_zip
from schemas.errors import ConfigError
from streaming.features.settings import JOB_NAME

_DONE = {"FINISHED", "FAILED", "CANCELED"}

#: No code of the JobManager runs often enough to repay Java's optimizing compiler.
_FAST_COMPILER = "-XX:TieredStopAtLevel=1"
#: Java optimizes a method only after ten times as many calls as by default: what runs for each record gets there within
#: seconds, and the many methods that do not are no longer compiled on the cores that the work needs.
_LATE_OPTIMIZER = (
    "-XX:Tier4InvocationThreshold=50000 -XX:Tier4MinInvocationThreshold=20000 "
    "-XX:Tier4CompileThreshold=100000 -XX:Tier4BackEdgeThreshold=400000"
)


def flink_home() -> Path:
    """The folder of Flink in the pip package. ConfigError when the package is not installed."""
    spec = importlib.util.find_spec("pyflink")
    if spec is None or spec.origin is None:
        raise ConfigError("apache-flink is not installed: pip install 'nearline-job-search[flink]'")
    return Path(spec.origin).parent


def jobmanager(settings: StackSettings) -> Component:
    """The JobManager; ready when its REST interface answers."""
    command = (str(flink_home() / "bin" / "jobmanager.sh"), "start-foreground")
    overview = f"{settings.flink_url}/overview"
    return Component(
        name="jobmanager",
        command=command,
        env=_env(settings),
        ready=lambda: answers(overview),
        stop_timeout_s=10.0,
    )


def taskmanager(settings: StackSettings) -> Component:
    """The TaskManager; ready when the JobManager counts its slots."""
    command = (str(flink_home() / "bin" / "taskmanager.sh"), "start-foreground")
    return Component(
        name="taskmanager",
        command=command,
        env=_env(settings),
        ready=lambda: _slots(settings) > 0,
        stop_timeout_s=10.0,
        # it would notice that the JobManager has exited only after its heartbeat's timeout, and work on a lost job
        restarts_with="jobmanager",
    )


def feature_job(settings: StackSettings) -> Submission:
    """The feature job; submitted whenever the JobManager has none running, as after the JobManager's own restart."""
    return Submission(
        name="feature-job",
        command=(*_flink_run(settings), *job_arguments(settings)),
        env=_env(settings),
        present=lambda: _present(settings),
        ready=lambda: any(map(_working, jobs(settings) or [])),
        cancel=lambda: _cancel(settings),
    )


def jobs(settings: StackSettings) -> list[dict[str, Any]] | None:
    """The feature jobs that the JobManager knows; None while it does not answer."""
    try:
        answer = HTTP.get(f"{settings.flink_url}/jobs/overview", timeout=5.0)
        answer.raise_for_status()
    except httpx.HTTPError:
        return None
    return [job for job in answer.json()["jobs"] if job["name"] == JOB_NAME]


def _working(job: dict[str, Any]) -> bool:
    """Whether every task of the job runs, and with it its Python workers; the job itself is RUNNING before that."""
    tasks: dict[str, int] = job["tasks"]
    return job["state"] == "RUNNING" and 0 < tasks["running"] == tasks["total"]


def _present(settings: StackSettings) -> bool | None:
    known = jobs(settings)
    return None if known is None else any(job["state"] not in _DONE for job in known)


def _cancel(settings: StackSettings) -> None:
    for job in jobs(settings) or []:
        if job["state"] not in _DONE:
            HTTP.patch(f"{settings.flink_url}/jobs/{job['jid']}?mode=cancel", timeout=5.0)


def _slots(settings: StackSettings) -> int:
    try:
        return int(HTTP.get(f"{settings.flink_url}/overview", timeout=5.0).json()["slots-total"])
    except (httpx.HTTPError, ValueError, KeyError):
        return 0


def _flink_run(settings: StackSettings) -> tuple[str, ...]:
    home = settings.home.resolve()
    zipped = build_zip(home / "pyfiles.zip", "streaming")
    flink, python = str(flink_home() / "bin" / "flink"), sys.executable
    return (
        *(flink, "run", "-d", "-m", f"127.0.0.1:{settings.port('flink')}"),
        *("-pyexec", python, "-pyclientexec", python, "-pyfs", str(zipped)),
        *("-j", str(connector(settings.jars)), "-pym", "streaming.feature_job"),
    )


def job_arguments(settings: StackSettings) -> tuple[str, ...]:
    """The arguments of the feature job's command line."""
    tokenizer = (
        () if settings.summarizer_dir is None else ("--tokenizer", str(settings.summarizer_dir.resolve()))
    )
    return (
        *(
            "--bootstrap",
            settings.bootstrap,
            "--store",
            settings.store_url,
            "--summarizer",
            settings.summarizer_url,
            *tokenizer,
        ),
        *(("--embedder", settings.embedder_url) if settings.embedder_url else ()),
        *_drift_arguments(settings),
        *("--parallelism", str(settings.subtasks), "--batch-size", str(settings.updates_a_batch)),
        *("--deadline-s", str(settings.deadline_s), "--max-backoff-s", str(settings.max_backoff_s)),
        *("--checkpoint-s", str(settings.checkpoint_s)),
        *("--checkpoint-timeout-s", str(settings.checkpoint_timeout_s)),
        *settings.registry_arguments,
        *(("--crash-at", settings.crash_at) if settings.crash_at else ()),
    )


def _drift_arguments(settings: StackSettings) -> tuple[str, ...]:
    """Options that measure on a sample whether summaries fit the ranker; none where stand-ins answer."""
    if settings.models.startswith("instant") or settings.ranker_dir is None:
        return ()
    return ("--drift-ranker", settings.ranker_url, "--drift-tokenizer", str(settings.ranker_dir.resolve()))


def _env(settings: StackSettings) -> dict[str, str]:
    """Environment variables that give this cluster its own configuration, logs and plugins."""
    home = settings.home.resolve() / "flink"
    conf, logs = home / "conf", home / "log"
    _configure(settings, conf)
    for folder in (logs, home / "tmp"):
        folder.mkdir(parents=True, exist_ok=True)
    return {
        "JAVA_HOME": str(java_home()),
        "FLINK_CONF_DIR": str(conf),
        "FLINK_LOG_DIR": str(logs),
        "FLINK_PID_DIR": str(home),
        "FLINK_PLUGINS_DIR": str(settings.jars / "plugins"),
    }


def _configure(settings: StackSettings, conf: Path) -> None:
    shutil.copytree(flink_home() / "conf", conf, dirs_exist_ok=True)
    stock = (conf / "config.yaml").read_text()
    java_options = next(line for line in stock.splitlines() if line.strip().startswith("all: --add"))
    options = java_options.split(":", 1)[1].strip()
    # killed JVMs leave temporary files: here they are inside the stack's home and deleted with it
    lines = [f"env.java.opts.all: {options} -Djava.io.tmpdir={conf.parent / 'tmp'}"]
    lines += [f"{key}: {value}" for key, value in _cluster(settings).items()]
    (conf / "config.yaml").write_text("\n".join(lines) + "\n")


def _cluster(settings: StackSettings) -> dict[str, object]:
    """Settings of the cluster; those of the job are in `streaming.features.settings`."""
    return {
        "jobmanager.rpc.address": "127.0.0.1",
        "jobmanager.rpc.port": settings.port("flink_rpc"),
        "jobmanager.bind-host": "127.0.0.1",
        "jobmanager.memory.process.size": "1024m",
        "taskmanager.bind-host": "127.0.0.1",
        "taskmanager.host": "127.0.0.1",
        "taskmanager.memory.process.size": settings.taskmanager_memory,
        "taskmanager.numberOfTaskSlots": settings.subtasks,
        "rest.address": "127.0.0.1",
        "rest.bind-address": "127.0.0.1",
        "rest.port": settings.port("flink"),
        "rest.bind-port": settings.port("flink"),
        # long, so that a machine short of processor time is not taken for a dead one
        "heartbeat.timeout": "180 s",
        "pekko.ask.timeout": "60 s",
        "io.tmp.dirs": settings.home.resolve() / "flink" / "tmp",
        # for small heaps on few cores the serial collector takes less time than a parallel one
        "env.java.opts.jobmanager": f"-XX:+UseSerialGC {_FAST_COMPILER}",
        "env.java.opts.taskmanager": f"-XX:+UseSerialGC {_LATE_OPTIMIZER}",
        "metrics.reporter.prom.factory.class": "org.apache.flink.metrics.prometheus.PrometheusReporterFactory",
        "metrics.reporter.prom.port": f"{settings.port('jobmanager_metrics')}-{settings.port('taskmanager_metrics')}",
    }
