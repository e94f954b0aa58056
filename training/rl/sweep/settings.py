"""What a sweep is given: its grid, the runs' common settings, and the queries that judge them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import ConfigError
from training.components.inputs import describe
from training.evaluation.settings import EvaluationConfig, RankerPlace
from training.rl.config import RlConfig, check
from training.rl.run import RlInputs
from training.rl.sweep.grid import Grid

DECIDED = ("algorithm", "seed", "reward.penalty", "reward.w")
"""Settings that the grid decides, and that `--set` therefore must not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepConfig:
    """The grid and what all of its runs share; a directory holds results of one such configuration.

    `shares`: lengths at which every policy and baseline is judged, besides the runs' own. `baselines`: names of
    `baselines.opening.WORDS` that they are compared with. `split`: of the judged queries.
    """

    grid: Grid
    run: RlConfig
    shares: tuple[float, ...]
    baselines: tuple[str, ...]
    split: str = "test"
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)

    @property
    def lengths(self) -> tuple[float, ...]:
        """All shares, the largest first."""
        return tuple(sorted({*self.shares, self.run.share}, reverse=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepInputs:
    """The files of a sweep; `also`: other rankers that read the summaries, such as a pruned one."""

    run: RlInputs
    judged: Path
    also: tuple[RankerPlace, ...] = ()

    @property
    def rankers(self) -> dict[str, RankerPlace]:
        """The rankers by their names in tables, the one that rewards first; ConfigError for two of one name."""
        places = (self.run.ranker, *self.also)
        found = {_short(place.name): place for place in places}
        if len(found) < len(places):
            names = ", ".join(_short(place.name) for place in places)
            raise ConfigError(f"--also: two rankers have one name ({names}): name each directory once")
        return found


def check_sweep(config: SweepConfig, given: SweepInputs) -> None:
    """Raise ConfigError for a setting that no run of the grid can work with."""
    for point in config.grid.points:
        check(point.config(config.run))
    for share in config.shares:
        if not 0 < share <= 1:
            raise ConfigError(f"--shares must be above 0 and at most 1: {share}")
    _ = given.rankers


def description(config: SweepConfig, given: SweepInputs) -> Mapping[str, Any]:
    """What the directory says of the sweep, and what the same command must say to go on."""
    files = {"model": given.run.model, "held-out queries": given.judged}
    files |= {f"postings {n}": path for n, path in enumerate(given.run.postings, 1)}
    if given.run.judged:
        files["judged"] = given.run.judged
    places = given.rankers
    files |= {
        f"ranker {name}": Path(place.name) for name, place in places.items() if Path(place.name).is_dir()
    }
    said = describe(config, files, rankers=list(places))
    shared = {key: value for key, value in asdict(config.run).items() if key not in DECIDED}
    shared["reward"] = {k: v for k, v in asdict(config.run.reward).items() if f"reward.{k}" not in DECIDED}
    return {**said, "config": said["config"] | {"run": shared}}


def _short(name: str) -> str:
    return Path(name).resolve().name if Path(name).is_dir() else name
