"""Settings of a configuration changed by name: `seed=3`, `stages.1.rate=1e-5`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar, get_args, get_type_hints

from schemas.errors import ConfigError
from training.sft.config import SftConfig, SftStage

T = TypeVar("T", SftConfig, SftStage)


def override(config: SftConfig, changes: Sequence[str]) -> SftConfig:
    """The configuration with every `name=value` applied; `stages.rate=…` means all stages.

    Raises ConfigError naming the setting that does not exist or whose value is of another kind.
    """
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise ConfigError(f"--set {change!r}: give name=value")
        config = (
            _stages(config, name, value) if name.startswith("stages.") else _with(config, name, name, value)
        )
    return config


def _stages(config: SftConfig, name: str, value: str) -> SftConfig:
    _, *path, field = name.split(".")
    chosen = path or [str(at) for at in range(len(config.stages))]
    if len(path) > 1 or not all(at.isdigit() and int(at) < len(config.stages) for at in chosen):
        raise ConfigError(f"--set {name}: the stages are 0 to {len(config.stages) - 1}")
    stages = [
        _with(stage, field, name, value) if str(at) in chosen else stage
        for at, stage in enumerate(config.stages)
    ]
    return replace(config, stages=tuple(stages))


def _with(settings: T, field: str, name: str, value: str) -> T:
    known = [f.name for f in fields(settings) if f.name != "stages"]
    if field not in known:
        raise ConfigError(f"--set {name}: no such setting; there are {', '.join(known)}")
    return replace(settings, **{field: _parsed(get_type_hints(type(settings))[field], name, value)})


def _parsed(kind: Any, name: str, value: str) -> Any:
    try:
        found = json.loads(value)
    except ValueError:
        found = value
    kinds = get_args(kind) or (kind,)
    if float in kinds and type(found) is int:
        found = float(found)
    if found not in kinds and type(found) not in kinds and not (found is None and type(None) in kinds):
        wanted = " or ".join(k.__name__ if isinstance(k, type) else repr(k) for k in kinds)
        raise ConfigError(f"--set {name}={value}: must be {wanted}")
    return found
