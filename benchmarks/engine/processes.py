"""Processes that are stopped while others are measured: some servers keep a core busy when nobody asks them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from benchmarks.engine.shapes import ROOT


class Unavailable(Exception):  # it is a finding, not a fault
    """A contender that cannot start or answer, and why."""


class Group:
    """A process, its children and its log, paused and ended together."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], log: Path, *, piped: bool) -> None:
        """Start it in a group of its own."""
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
        """Let nothing of it run until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it run on."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it and whatever it started."""
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

    def last_words(self) -> str:
        """The last line of the log that says something."""
        lines = [line.strip() for line in self._log.read_text(errors="replace").splitlines()]
        return next((line[:300] for line in reversed(lines) if line), "it ended without a word")

    def _descendants(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
