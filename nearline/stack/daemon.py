"""The supervisor's own process: `nearline up` starts it in the background, `nearline down` ends it."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
from prometheus_client import REGISTRY, start_http_server

from nearline.stack import processes
from nearline.stack.broker import broker
from nearline.stack.component import Component, Submission
from nearline.stack.couchbase import couchbase, ensure_test_server
from nearline.stack.flink import feature_job, jobmanager, taskmanager
from nearline.stack.jars import ensure_jars
from nearline.stack.metrics import StackMetrics
from nearline.stack.services import consumer, matcher, model_server, page, search
from nearline.stack.settings import StackSettings
from nearline.stack.state import read_state
from nearline.stack.supervisor import ComponentFailed, Supervisor
from nearline.stack.tools import check_ports, java_home
from schemas.errors import ConfigError

_ROUND_S, _HEALTH_ROUND_S = 0.1, 2.0
#: Supervisors that this process started. Python warns when the handle of a running process is dropped; these shall run.
_DETACHED: list[subprocess.Popen[bytes]] = []


def waves(settings: StackSettings) -> list[list[Component | Submission]]:
    """Every part of the local stack, in waves: the parts of a wave need those of the waves before it."""
    hosted = [model_server(settings)] if settings.hosts_models else []
    if settings.hosts_couchbase:
        hosted.append(couchbase(settings))
    shown = [page(settings)] if settings.page else []
    return [
        [broker(settings), jobmanager(settings), taskmanager(settings), *hosted],
        [feature_job(settings), matcher(settings), consumer(settings), search(settings), *shown],
    ]


def up(settings: StackSettings, timeout_s: float = 600.0) -> None:
    """Start the stack in the background and wait until every component is healthy.

    Raises ConfigError (a tool is missing, a port is in use, the stack is up already), or ComponentFailed with the last
    log lines of the component that failed.
    """
    if running(settings.home):
        raise ConfigError(
            f"a stack is already up in {settings.home}: see `nearline status`, end it with `nearline down`"
        )
    processes.reap(settings.home)
    java_home()
    check_ports(settings.ports)
    ensure_jars(settings.jars)
    if settings.hosts_couchbase:
        ensure_test_server(settings)
    settings.save()
    for stale in ("state.json", "ready", "failed"):
        (settings.home / stale).unlink(missing_ok=True)
    _await(settings, _launch(settings), timeout_s)


def down(home: Path, timeout_s: float = 90.0) -> int:
    """Stop the stack in `home`; returns how many processes had to be killed because they did not stop when asked to."""
    supervisor = running(home)
    if supervisor is not None:
        supervisor.terminate()
        psutil.wait_procs([supervisor], timeout=timeout_s)
    # keep only the supervisors that still run
    _DETACHED[:] = [handle for handle in _DETACHED if handle.poll() is None]
    return processes.reap(home)


def running(home: Path) -> psutil.Process | None:
    """The running supervisor of the stack in `home`; None when there is none."""
    found = processes.marked(home, "supervisor")
    return found[0] if found else None


def _launch(settings: StackSettings) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "nearline.stack.daemon", str(settings.home.resolve())]
    log = settings.log("supervisor")
    _DETACHED.append(processes.spawn(command, home=settings.home, component="supervisor", log=log, env={}))
    return _DETACHED[-1]


def _await(settings: StackSettings, supervisor: subprocess.Popen[bytes], timeout_s: float) -> None:
    ready, failed = settings.home / "ready", settings.home / "failed"
    done = lambda: ready.exists() or supervisor.poll() is not None  # noqa: E731
    if processes.wait_until(done, timeout_s) and ready.exists():
        return
    down(settings.home)
    reason = failed.read_text() if failed.exists() else processes.tail(settings.log("supervisor"))
    raise ComponentFailed(reason)


def supervise(settings: StackSettings) -> None:
    """Run the stack until SIGTERM. A component that fails at the start ends the stack; later it is restarted."""
    supervisor = Supervisor(settings, waves(settings))
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: stopping.append(received))
    try:
        supervisor.start()
        (settings.home / "ready").touch()
        _watch(supervisor, settings, stopping)
    except (ComponentFailed, ConfigError) as error:
        (settings.home / "failed").write_text(str(error))
        raise
    finally:
        supervisor.stop()


def _watch(supervisor: Supervisor, settings: StackSettings, stopping: list[int]) -> None:
    start_http_server(settings.port("supervisor_metrics"), addr="127.0.0.1")
    metrics = StackMetrics(REGISTRY)
    next_health = 0.0
    while not stopping:
        supervisor.step(time.monotonic())
        if time.monotonic() >= next_health:
            supervisor.check_health()
            metrics.show(read_state(settings.home))
            next_health = time.monotonic() + _HEALTH_ROUND_S
        time.sleep(_ROUND_S)


def main() -> None:
    """Entry point of the detached process: `python -m nearline.stack.daemon HOME`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("kafka").setLevel(logging.ERROR)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    os.umask(0o077)
    supervise(StackSettings.load(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
