"""`nearline train sft` on small inputs, as processes.

Each is forked from one server process that has imported torch, transformers and matplotlib: importing them takes each
process of its own ten seconds or more, and running these small inputs two.
"""

import multiprocessing
import os
import resource
import runpy
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from training.sft.run import Inputs

SETTINGS = ("batch_tokens=1024", "best_dtype=float32", "evaluate_every_steps=1000", "patience=1000")
HUNG_S = 300
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["nearline.cli.app", "training.sft.run", "matplotlib.figure", "matplotlib.backends.backend_agg"]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command that was started; what it prints goes to files."""

    process: BaseProcess
    printed: Path

    @property
    def stdout(self) -> str:
        return (self.printed / "stdout").read_text()

    @property
    def stderr(self) -> str:
        return (self.printed / "stderr").read_text()

    def terminate(self) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGTERM)

    def ended(self) -> int:
        """Wait for the end; returns the exit status."""
        self.process.join(HUNG_S)
        if self.process.exitcode is None:
            self.process.kill()
        assert self.process.exitcode is not None, f"still running after {HUNG_S} s: {self.stderr}"
        return self.process.exitcode


def command(given: Inputs, out: Path, *more: str) -> list[str]:
    """The arguments of `nearline`."""
    paths = {"judged": given.judged, "postings": given.postings, "model": given.model, "out": out}
    named = [part for name, path in paths.items() for part in (f"--{name}", str(path))]
    set_ = [part for setting in SETTINGS for part in ("--set", setting)]
    return ["train", "sft", *named, *set_, "--threads", "1", "--device", "cpu", *more]


def start(
    arguments: list[str],
    printed: Path,
    environment: Mapping[str, str] | None = None,
    largest_file: int | None = None,
) -> Command:
    """Start `nearline` with these arguments; no file that it writes may grow beyond `largest_file` bytes."""
    printed.mkdir(parents=True)
    process = _FORKS.Process(
        target=_nearline, args=(arguments, printed, dict(environment or {}), largest_file), daemon=True
    )
    process.start()
    return Command(process=process, printed=printed)


def run(arguments: list[str], printed: Path, **more: int) -> Command:
    """Run `nearline` with these arguments to its end."""
    started = start(arguments, printed, **more)  # type: ignore[arg-type]
    started.ended()
    return started


def _nearline(
    arguments: list[str], printed: Path, environment: dict[str, str], largest_file: int | None
) -> None:
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(printed / name, os.O_WRONLY | os.O_CREAT), descriptor)
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    os.environ.update(environment)
    sys.argv = ["nearline", *arguments]
    runpy.run_module("nearline", run_name="__main__", alter_sys=True)
