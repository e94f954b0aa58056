"""Processes that can be stopped while others are measured, because some servers use a core even when idle."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from benchmarks.engine.shapes import ROOT


class ContenderUnavailable(Exception):  # a result of the benchmark, not an error of it
    """A contender cannot start or answer, and why."""


class Group:
    """A process with its children and its log; they are paused and ended together."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], log: Path, *, piped: bool) -> None:
        """Start the command in a process group of its own."""
        log.parent.mkdir(parents=True, exist_ok=True)
        pipe = subprocess.PIPE if piped else None
        with log.open("w") as file:
            self.process = subprocess.Popen(
                list(command),
                cwd=ROOT,
                env={**os.environ, **env},
                stdin=pipe or subprocess.DEVNULL,
                stdout=pipe or file,
                stderr=file,
                text=True,
                start_new_session=True,
            )
        self._log = log

    @property
    def alive(self) -> bool:
        """Whether the first process still runs."""
        return self.process.poll() is None

    def pause(self) -> None:
        """Stop all processes of the group until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let the processes continue."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """End the process and all its descendants."""
        started = self._descendants()
        self.resume()
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self._signal(signal.SIGKILL)
        for child in started:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()

    def last_line(self) -> str:
        """The last line of the log that is not empty."""
        lines = [line.strip() for line in self._log.read_text(errors="replace").splitlines()]
        return next((line[:300] for line in reversed(lines) if line), "it ended and its log is empty")

    def _descendants(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
