"""Which directory a low-rank adapter belongs to: an adapter is served by its own path and has no other files.

Configuration, tokenizer and weights are those of its base, whose directory stands in adapter_config.json as the library
peft writes it. This module imports little, because clients look for a tokenizer here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from schemas.errors import ConfigError

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
BASE = "base_model_name_or_path"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")


def is_adapter(directory: Path) -> bool:
    """Whether the directory holds a low-rank adapter and no whole model."""
    return (directory / ADAPTER_CONFIG).is_file()


def base_of(directory: Path) -> Path:
    """Return the directory that has configuration, tokenizer and weights: itself, or that of an adapter's base.

    ConfigError for a base that is not there, or an adapter whose base cannot be told.
    """
    if not is_adapter(directory):
        return directory
    for name in WEIGHTS:
        if (directory / name).exists():
            raise ConfigError(
                f"{directory} holds an adapter ({ADAPTER_CONFIG}) beside the weights of a model ({name}): "
                "loaders read different weights, delete one of the two"
            )
    named = read_adapter_config(directory).get(BASE)
    if not isinstance(named, str) or not named:
        raise ConfigError(f"{directory / ADAPTER_CONFIG} names no {BASE}: {_how(directory)}")
    base = directory / named
    if not base.is_dir():
        raise ConfigError(f"{directory}: the adapter's base {named} is no directory: {_how(directory)}")
    if is_adapter(base):
        raise ConfigError(f"{directory}: the adapter's base {base} is an adapter too; give a whole model")
    return base


def read_adapter_config(directory: Path) -> dict[str, Any]:
    """Return what adapter_config.json says; ConfigError for a file that holds no JSON object."""
    path = directory / ADAPTER_CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not readable as JSON: {error}") from error
    if not isinstance(config, dict):
        raise ConfigError(f"{path} holds no JSON object")
    return config


def check_whole(directory: Path) -> None:
    """Raise ConfigError for an adapter, where a whole model is read and written."""
    if base_of(directory) != directory:
        raise ConfigError(
            f"{directory} is an adapter: `nearline models import {directory} --out DIR` merges it into a whole model"
        )


def _how(directory: Path) -> str:
    return f"`nearline models adapt {directory} --base DIR --out DIR` names one"
