"""The results of a sweep as a file: which systems stand in it, and how they are found."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from models.writing import write_whole
from schemas.errors import ConfigError
from training.components.plain_json import finite

KIND = "nearline rl sweep"
VERSION = 1
Results = Mapping[str, Any]


def write(results: Results, path: Path) -> None:
    """Write results whole or not at all."""
    write_whole(path, json.dumps(finite(results), indent=1, allow_nan=False) + "\n")


def load(path: Path) -> Results:
    """Results that `write` wrote; ConfigError for another file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is not readable: {error}") from error
    if not isinstance(found, dict) or (found.get("kind"), found.get("version")) != (KIND, VERSION):
        raise ConfigError(f"{path} is not the results.json of a `nearline train rl-sweep` of this version")
    return found


def systems(results: Results, kind: str, *, ranker: str | None = None) -> Iterator[dict[str, Any]]:
    """The systems of a kind (raw, baseline, start, run, row), of one ranker or of all."""
    for system in results["systems"]:
        if system["kind"] == kind and ranker in {None, system["ranker"]}:
            yield system
