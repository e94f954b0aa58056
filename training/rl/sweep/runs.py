"""The runs of a sweep, each trained and judged in a directory of its own; what is done already is not done again."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from schemas.errors import TrainingDiverged
from training.components.stopping import Stop
from training.evaluation.scorers import LogitScorer, open_scorer
from training.rl import curves
from training.rl.actor import Actor
from training.rl.baselines.base import Shortener
from training.rl.baselines.models import ActorShortener
from training.rl.baselines.opening import open_words
from training.rl.loop import Draw, RlResult
from training.rl.measuring import RlMetrics
from training.rl.opening import open_actor
from training.rl.run import FileOfPostings, read_files, reinforce
from training.rl.sweep.grid import Point
from training.rl.sweep.held_out import (
    RAW_FILE,
    HeldOut,
    Judged,
    OpenScorer,
    Say,
    check_held_out,
    open_held_out,
    read_held_out,
    write_measured,
)
from training.rl.sweep.lock import held
from training.rl.sweep.settings import SweepConfig, SweepInputs

START = "start"
"""The name of what every run begins with, as a way to shorten."""
DONE = "judged.json"
"""A run's file that says that nothing remains to be done."""
PAUSE_S = 1.0
"""Between two looks at a run that another process works on."""


def print_line(line: str) -> None:
    """Tell progress on standard error."""
    print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """One sweep in its directory; several processes may work on it at once.

    `say`: takes lines of progress; `scorers`: opens rankers; `sleep`: waits for another process's run;
    `draw`: makes runs' curves.png.
    """

    config: SweepConfig
    given: SweepInputs
    out: Path
    say: Say = field(default=print_line)
    scorers: OpenScorer = field(default=open_scorer)
    sleep: Callable[[float], None] = field(default=time.sleep)
    draw: Draw = field(default=curves.draw)

    @property
    def baselines(self) -> dict[str, Path]:
        """The file of figures of each baseline and of the start."""
        return {name: self.out / "baselines" / f"{name}.json" for name in (*self.config.baselines, START)}

    @property
    def raw_file(self) -> Path:
        """The file of scores on raw texts."""
        return self.out / "baselines" / RAW_FILE

    def directory(self, point: Point) -> Path:
        """A run's directory."""
        return self.out / "runs" / point.name

    def unfinished(self) -> list[Point]:
        """The runs that have no figures yet."""
        return [point for point in self.config.grid.points if not (self.directory(point) / DONE).is_file()]

    @cached_property
    def judged(self) -> Judged:
        """The held-out queries and all postings, read once a process."""
        return read_held_out(self.config, self.given)

    @cached_property
    def held_out(self) -> HeldOut:
        """The held-out queries with the rankers, opened once a process."""
        return open_held_out(
            self.config, self.given, self.judged, self.raw_file, self.say, scorers=self.scorers
        )

    @cached_property
    def files(self) -> list[FileOfPostings]:
        """The postings, read once a process."""
        return read_files(self.given.run.postings)

    @cached_property
    def ranker(self) -> LogitScorer:
        """The ranker that rewards, opened once a process."""
        return self.scorers(self.given.run.ranker)

    def check_inputs(self) -> None:
        """Raise ConfigError for postings or judged queries that cannot be used."""
        check_held_out(self.judged, self.files)

    def judge_baselines(self, stop: Stop) -> None:
        """Judge raw texts, each baseline and the start, unless that is done."""
        if not self.raw_file.is_file():
            _ = self.held_out
        for name, file in self.baselines.items():
            if not stop.asked and not file.is_file():
                write_measured(file, self.held_out.measured(self._baseline(name), self.say))

    def do_all(self, stop: Stop, *, wait: bool) -> None:
        """Do every run that is not done; with `wait` also those that another process works on, once it lets go.

        Raises what a run raises, but for a run that diverges: that is its result.
        """
        while (points := self.unfinished()) and not stop.asked:
            done = [self._do(point, stop) for point in _until(points, stop)]
            if not any(done) and not wait:
                return
            if not any(done) and not stop.asked:
                self.say(f"{points[0].name}: another process still works on it; waiting")
                self.sleep(PAUSE_S)

    def _do(self, point: Point, stop: Stop) -> bool:
        """Train and judge one run; False if another process has it."""
        with held(self.directory(point)) as free:
            if free and not (self.directory(point) / DONE).is_file():
                self._train_and_judge(point, stop)
            return free

    def _train_and_judge(self, point: Point, stop: Stop) -> None:
        place = f"[{self.config.grid.points.index(point) + 1}/{len(self.config.grid.points)}] {point.name}"
        tell = partial(_prefixed, place, self.say)
        try:
            result = self._trained(point, stop, tell)
        except TrainingDiverged as error:
            tell(f"diverged: {error}")
            write_measured(self.directory(point) / DONE, [], ended="diverged", said=str(error))
            return
        if result.ended == "stopped" or stop.asked:
            tell(f"stopped after step {result.steps}; the same command goes on")
            return
        tell(f"trained to the end, best after step {result.best_step}: dev KL {result.best_kl:.4f}")
        policy = ActorShortener(point.name, self._opened(self.directory(point) / "best"))
        found = self.held_out.measured(policy, tell)
        write_measured(self.directory(point) / DONE, found, **_told(result))

    def _trained(self, point: Point, stop: Stop, tell: Say) -> RlResult:
        return reinforce(
            point.config(self.config.run),
            self.given.run,
            self.directory(point),
            stop=stop,
            watch=partial(_watch, tell),
            resume=True,
            scorer=self.ranker,
            files=self.files,
            draw=self.draw,
        )

    def _opened(self, directory: Path) -> Actor:
        count, device = self.held_out.count, self.given.run.device
        return open_actor(self.config.run, directory, count, name=directory.name, device=device)

    def _baseline(self, name: str) -> Shortener:
        words = open_words(name, self.held_out.count, self.held_out.items)
        return words or ActorShortener(name, self._opened(self.given.run.model))


def _until(points: list[Point], stop: Stop) -> Iterator[Point]:
    for point in points:
        if stop.asked:
            return
        yield point


def _prefixed(start: str, say: Say, line: str) -> None:
    say(f"{start}: {line}")


def _watch(tell: Say, metrics: RlMetrics, total: int) -> None:
    """Tell the steps in which dev postings are measured."""
    if metrics.dev_kl is not None:
        reward = "" if metrics.reward is None else f"reward {metrics.reward:.4f}, "
        lost = f", {metrics.lost} postings without a reward" if metrics.lost else ""
        tell(
            f"step {metrics.step} of {total}, {reward}dev KL {metrics.dev_kl:.4f} at {metrics.dev_share:.1%}{lost}"
        )


def _told(result: RlResult) -> dict[str, Any]:
    return {
        "ended": result.ended,
        "steps": result.steps,
        "best_step": result.best_step,
        "start_kl": result.start_kl,
        "best_kl": result.best_kl,
    }
