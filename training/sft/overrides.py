"""Changes of a configuration's settings by name: `seed=3`, `stages.1.rate=1e-5`, `adapter.rank=8`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from schemas.errors import ConfigError
from training.components.named_settings import with_setting
from training.sft.config import SftConfig


def override(config: SftConfig, changes: Sequence[str]) -> SftConfig:
    """The configuration with each `name=value` applied; `stages.rate=…` changes all stages.

    Raises ConfigError naming a setting that does not exist, or whose value has another type.
    """
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise ConfigError(f"--set {change!r}: give name=value")
        config = _changed(config, name, value)
    return config


def _changed(config: SftConfig, name: str, value: str) -> SftConfig:
    if name.startswith("stages."):
        return _stages(config, name, value)
    if name.startswith("adapter."):
        return _adapter(config, name, value)
    return with_setting(config, name, name, value)


def _adapter(config: SftConfig, name: str, value: str) -> SftConfig:
    if config.adapter is None:
        raise ConfigError(f"--set {name}: the recipe trains all weights; give --adapter")
    field = name.removeprefix("adapter.")
    return replace(config, adapter=with_setting(config.adapter, field, name, value))


def _stages(config: SftConfig, name: str, value: str) -> SftConfig:
    _, *path, field = name.split(".")
    chosen = path or [str(at) for at in range(len(config.stages))]
    if len(path) > 1 or not all(at.isdigit() and int(at) < len(config.stages) for at in chosen):
        raise ConfigError(f"--set {name}: the stages are 0 to {len(config.stages) - 1}")
    stages = [
        with_setting(stage, field, name, value) if str(at) in chosen else stage
        for at, stage in enumerate(config.stages)
    ]
    return replace(config, stages=tuple(stages))
