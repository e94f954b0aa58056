"""A model server of our own in a process of its own, for benchmarks that load it."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from nearline.stack.tools import free_port

ROOT = Path(__file__).parents[2]


@contextmanager
def served(checkpoint: Path, threads: int) -> Iterator[tuple[psutil.Process, int]]:
    """Serve a ranker in float32 on the CPU with so many threads; its process and port, once it is healthy.

    RuntimeError when it ends at its start. It is stopped at the end.
    """
    port = free_port()
    command = [sys.executable, "-m", "models.server", "--ranker", str(checkpoint), "--device", "cpu"]
    command += ["--dtype", "float32", "--threads", str(threads), "--port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT)
    try:
        _wait(port, server)
        yield psutil.Process(server.pid), port
    finally:
        server.terminate()
        server.wait(60)


def _wait(port: int, server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None:
        try:
            httpx.get(f"http://127.0.0.1:{port}/health").raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError("the model server ended at its start: its messages are above")
