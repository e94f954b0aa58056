"""The grid of a sweep: which algorithm, penalty, weight and seed each run has."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, cast

from schemas.errors import ConfigError
from training.evaluation.compression.published import TABLE_5
from training.rl.algorithms import ALGORITHMS
from training.rl.config import AlgorithmName, PenaltyName, RlConfig
from training.rl.penalties import PENALTIES

PAPER = "paper"
"""Name of the grid that has the rows of the paper's table 5."""
AXES = ("algorithms", "penalties", "weights", "seeds")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Row:
    """A row of the paper's table 5: what runs have in common that differ in their seed alone."""

    algorithm: AlgorithmName
    penalty: PenaltyName
    w: float

    @property
    def name(self) -> str:
        """Such as `gspo-p2-w0.4`."""
        return f"{self.algorithm}-{self.penalty}-w{self.w:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One run of a sweep."""

    row: Row
    seed: int

    @property
    def name(self) -> str:
        """The run's directory, such as `gspo-p2-w0.4-seed1`."""
        return f"{self.row.name}-seed{self.seed}"

    def config(self, base: RlConfig) -> RlConfig:
        """The settings of this run over those that all runs share."""
        reward = replace(base.reward, penalty=self.row.penalty, w=self.row.w)
        return replace(base, algorithm=self.row.algorithm, reward=reward, seed=self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Rows and seeds; each row is run with each seed."""

    rows: tuple[Row, ...]
    seeds: tuple[int, ...]

    @property
    def points(self) -> list[Point]:
        """The runs: all rows with the first seed, then with the next, so that a sweep cut off has each row."""
        return [Point(row=row, seed=seed) for seed in self.seeds for row in self.rows]


def read_grid(given: str, axes: Mapping[str, str | None]) -> Grid:
    """The grid of the options `axes` (names of AXES, each with commas between its values), of a TOML file, or `paper`.

    ConfigError names what is unknown, stands twice, or is given both in the file and as an option.
    """
    said = {name: _parts(value) for name, value in axes.items() if value is not None}
    if given:
        in_file = _file(given)
        twice = sorted(said.keys() & in_file.keys()) or sorted(
            said.keys() - {"seeds"} if "rows" in in_file else ()
        )
        if twice:
            raise ConfigError(
                f"--{twice[0]} and --grid {given}: the grid says that already, give one of the two"
            )
        said |= in_file
    rows = said.get("rows") or _product(said)
    return _checked(rows, said.get("seeds", [1]))


def _parts(value: str) -> list[Any]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _file(given: str) -> dict[str, Any]:
    if given == PAPER:
        return {"rows": [{"algorithm": row.algorithm, "penalty": row.penalty, "w": row.w} for row in TABLE_5]}
    try:
        found = tomllib.loads(Path(given).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"--grid {given}: neither {PAPER!r} nor a readable TOML file ({error})") from error
    unknown = sorted(found.keys() - {*AXES, "rows"})
    if unknown or not all(isinstance(value, list) for value in found.values()):
        raise ConfigError(
            f"--grid {given}: {unknown[0] if unknown else 'a value that is no list'}: give lists named {', '.join(AXES)}, "
            "or tables [[rows]] with algorithm, penalty and w"
        )
    if "rows" in found and found.keys() & {"algorithms", "penalties", "weights"}:
        raise ConfigError(f"--grid {given}: [[rows]] and lists of their values: give one of the two")
    return found


def _product(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    lists = (said.get("algorithms", ["dr_grpo"]), said.get("penalties", ["p2"]), said.get("weights", [0.4]))
    return [dict(zip(("algorithm", "penalty", "w"), values, strict=True)) for values in product(*lists)]


def _checked(rows: Sequence[Any], seeds: Sequence[Any]) -> Grid:
    grid = Grid(rows=tuple(map(_row, rows)), seeds=tuple(map(_seed, seeds)))
    names = [point.name for point in grid.points]
    if not names:
        raise ConfigError("the grid is empty: give at least one algorithm, penalty, weight and seed")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"the grid has {twice} twice: name each value once")
    return grid


def _row(row: Any) -> Row:
    if not isinstance(row, dict) or row.keys() != {"algorithm", "penalty", "w"}:
        raise ConfigError(f"the grid's row {row!r}: give algorithm, penalty and w")
    for name, known in (("algorithm", ALGORITHMS), ("penalty", PENALTIES)):
        if row[name] not in known:
            raise ConfigError(f"the grid's {name} {row[name]!r}: there are {', '.join(known)}")
    w = _number("w", row["w"])
    if not 0 <= w < float("inf"):
        raise ConfigError(f"the grid's w must be a number that is not negative: {w}")
    return Row(
        algorithm=cast("AlgorithmName", row["algorithm"]), penalty=cast("PenaltyName", row["penalty"]), w=w
    )


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the grid's {name} {value!r}: give a number") from error


def _seed(value: Any) -> int:
    seed = _number("seed", value)
    if not seed.is_integer() or seed < 0:
        raise ConfigError(f"the grid's seed {value!r}: give a whole number that is not negative")
    return int(seed)
