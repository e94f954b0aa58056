"""A real standalone master and worker, through `spark-class`, on loopback."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from batch.submit import spark_home
from nearline.stack.processes import wait_until
from nearline.stack.tools import free_ports, java_home, listening


@contextmanager
def standalone(home: Path, cores: int = 2) -> Iterator[str]:
    """The master's URL while both run; executors work under `home`. They and their children are gone afterwards."""
    port, ui, worker_ui = free_ports(3)
    url = f"spark://127.0.0.1:{port}"
    deploy = "org.apache.spark.deploy"
    master = (f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", str(ui))
    worker = (
        *(f"{deploy}.worker.Worker", url, "--host", "127.0.0.1", "--webui-port", str(worker_ui)),
        *("--cores", str(cores), "--memory", "2g", "--work-dir", str(home / "work")),
    )
    processes = [_start(home, "master", master)]
    try:
        assert wait_until(lambda: listening(port), 60), (home / "master.log").read_text()[-2000:]
        processes.append(_start(home, "worker", worker))
        registered = "Successfully registered with master"
        assert wait_until(lambda: registered in (home / "worker.log").read_text(), 60)
        yield url
    finally:
        for process in processes:
            stop_tree(process.pid)
            process.wait()


def stop_tree(pid: int) -> None:
    """Kill a process and all that it started."""
    if psutil.pid_exists(pid):
        root = psutil.Process(pid)
        for process in [*root.children(recursive=True), root]:
            process.kill()


def _start(home: Path, name: str, command: tuple[str, ...]) -> subprocess.Popen[bytes]:
    env = {
        **os.environ,
        "JAVA_HOME": str(java_home()),
        "SPARK_HOME": str(spark_home()),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_DAEMON_MEMORY": "256m",
    }
    with (home / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [str(spark_home() / "bin" / "spark-class"), *command], env=env, stdout=log, stderr=log
        )
