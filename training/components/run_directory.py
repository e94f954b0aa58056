"""A run's directory: configuration, metrics, checkpoints `step-N`, `best`, curves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models import writing
from schemas.errors import ConfigError, StoreFull

STATE = "training_state.pt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """One line of metrics.jsonl: a step of the run, counted from 1 over all stages (0: before the first).

    `tokens`: read in this step, padding included; `seconds`: of this step; `dev_ndcg`: NDCG@10 after it.
    """

    step: int
    stage: int
    epoch: int
    loss: float | None
    rate: float
    norm: float
    tokens: int
    padding: float
    seconds: float
    dev_ndcg: float | None = None


class RunDirectory:
    """The files of one run.

    A directory in it is complete or absent, also after a kill, because it is renamed into place.
    """

    def __init__(self, path: Path, *, keep_last: int = 2) -> None:
        self.path, self._keep_last = path, keep_last

    @property
    def best(self) -> Path:
        """The directory of the best model so far."""
        return self.path / "best"

    @property
    def started(self) -> bool:
        """Whether a run was started in this directory."""
        return (self.path / "config.json").exists()

    def start(self, description: Mapping[str, Any]) -> None:
        """Write config.json. ConfigError when a run is here already."""
        if self.started:
            raise ConfigError(f"{self.path} holds a run: go on with --resume, or give another --out")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"cannot make the run directory {self.path}: {error}") from error
        writing.write_whole(self.path / "config.json", json.dumps(description, indent=2) + "\n")

    def resume(self, description: Mapping[str, Any]) -> None:
        """Raise ConfigError naming each setting and input in which the run here differs from `description`."""
        here, there = _flat(self.description()), _flat(json.loads(json.dumps(description)))
        differing = [
            f"{key}: there {here.get(key)!r}, now {there.get(key)!r}"
            for key in sorted(here | there)
            if here.get(key) != there.get(key) and not key.startswith(("versions.", "paths."))
        ]
        if differing:
            raise ConfigError(f"{self.path} is a run of another configuration; {'; '.join(differing)}")
        writing.recover(self.best)

    def description(self) -> dict[str, Any]:
        """What config.json says; ConfigError when it cannot be read."""
        path = self.path / "config.json"
        try:
            said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot resume: {path} is not readable ({error})") from error
        return said

    def checkpoints(self) -> list[Path]:
        """The complete checkpoints, oldest first."""
        found = [path for path in self.path.glob("step-*") if path.name[5:].isdigit()]
        return sorted(found, key=lambda path: int(path.name[5:]))

    def save(self, step: int, fill: Callable[[Path], None]) -> None:
        """Write checkpoint `step-N`, then remove all but the last few."""
        with writing.replacing(self.path / f"step-{step}") as partial:
            fill(partial)
        for old in self.checkpoints()[: -self._keep_last]:
            writing.remove_directory(old)

    def save_best(self, fill: Callable[[Path], None]) -> None:
        """Replace `best`."""
        with writing.replacing(self.best) as partial:
            fill(partial)

    def append(self, metrics: Mapping[str, Any]) -> None:
        """Append one line to metrics.jsonl. StoreFull when it cannot be written."""
        path = self.path / "metrics.jsonl"
        try:
            with path.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(metrics) + "\n")
        except OSError as error:
            raise StoreFull(f"cannot write {path}: {error}; the last checkpoint is intact") from error

    def metrics(self) -> list[dict[str, Any]]:
        """The lines written so far; a last line cut off by a kill is left out."""
        path = self.path / "metrics.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return list(_parsed(lines))

    def rewind(self, step: int) -> None:
        """Delete the metrics of steps after `step`: a resumed run computes those steps again."""
        kept = [json.dumps(line) for line in self.metrics() if line["step"] <= step]
        writing.write_whole(self.path / "metrics.jsonl", "".join(f"{line}\n" for line in kept))


def _parsed(lines: Iterable[str]) -> Iterable[dict[str, Any]]:
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            return


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    if isinstance(value, Mapping):
        pairs: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    else:
        return {name: value}
    return {
        key: found
        for part, inner in pairs
        for key, found in _flat(inner, f"{name}.{part}" if name else str(part)).items()
    }
