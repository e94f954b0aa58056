"""Processes of this project that start in a moment: forked from a server process that has imported what they need.

Importing takes a process of its own one to ten seconds; a test that kills processes starts dozens of them.
"""

import multiprocessing
import os
import resource
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

_FORKS = multiprocessing.get_context("forkserver")


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What to run as `python -m module`, and where its output goes.

    `imported`: modules that the server process imports before it forks. The first start of a test run decides, later
    ones import what is missing themselves. `largest_file`: bytes beyond which no file may grow that the process writes.
    """

    module: str
    arguments: Sequence[str]
    stdout: Path
    stderr: Path
    imported: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    largest_file: int | None = None


class Forked:
    """A process that was started, with those methods of `subprocess.Popen` that the tests use."""

    def __init__(self, process: BaseProcess) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """The exit status, a negative signal of one that was killed; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; returns the exit status. TimeoutExpired when it still runs after `timeout` seconds."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0.0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal; nothing to a process that has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def fork(start: Start) -> Forked:
    """Start a process; it is killed when the test run ends."""
    _FORKS.set_forkserver_preload(list(start.imported))
    process = _FORKS.Process(target=_run, args=(start,), name=start.module, daemon=True)
    process.start()
    return Forked(process)


def _run(start: Start) -> None:
    for descriptor, path in ((1, start.stdout), (2, start.stderr)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
    if start.largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (start.largest_file, start.largest_file))
    os.environ.update(start.environment)
    sys.argv = [start.module, *start.arguments]
    if not hasattr(sys.modules.get(start.module), "__path__"):  # a package runs its `__main__`
        sys.modules.pop(start.module, None)  # a module that is imported would be run with a warning
    runpy.run_module(start.module, run_name="__main__", alter_sys=True)
