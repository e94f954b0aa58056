"""`nearline train sft` on small inputs, as processes.

Each is forked from one server process that has imported torch, transformers and matplotlib: importing them takes each
process of its own ten seconds or more, and running these small inputs two.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import TimeoutExpired

from tests.support.forked import Forked, Start, fork
from training.sft.run import Inputs

SETTINGS = ("batch_tokens=1024", "best_dtype=float32", "evaluate_every_steps=1000", "patience=1000")
HUNG_S = 300
IMPORTED = ("nearline.cli.app", "training.sft.run", "matplotlib.figure", "matplotlib.backends.backend_agg")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command that was started; what it prints goes to files."""

    process: Forked
    printed: Path

    @property
    def stdout(self) -> str:
        return (self.printed / "stdout").read_text()

    @property
    def stderr(self) -> str:
        return (self.printed / "stderr").read_text()

    def terminate(self) -> None:
        self.process.terminate()

    def ended(self) -> int:
        """Wait for the end; returns the exit status."""
        try:
            return self.process.wait(HUNG_S)
        except TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"still running after {HUNG_S} s: {self.stderr}") from None


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
    asked = Start(
        module="nearline",
        arguments=arguments,
        stdout=printed / "stdout",
        stderr=printed / "stderr",
        imported=IMPORTED,
        environment=environment or {},
        largest_file=largest_file,
    )
    return Command(process=fork(asked), printed=printed)


def run(arguments: list[str], printed: Path, **more: int) -> Command:
    """Run `nearline` with these arguments to its end."""
    started = start(arguments, printed, **more)  # type: ignore[arg-type]
    started.ended()
    return started
