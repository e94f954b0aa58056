"""Remove whole blocks of a model; `num_hidden_layers`, `layer_types` and each `self_attn.layer_idx` follow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from schemas.errors import ConfigError


def drop_layers(model: Any, drop: Iterable[int]) -> None:
    """Remove blocks of a transformers model by their numbers from 0; ConfigError for numbers it does not have."""
    layers = model.model.layers
    keep = kept_layers(len(layers), drop)
    _set(model, [layers[number] for number in keep], _types(model, keep))


@contextmanager
def without(model: Any, drop: Iterable[int]) -> Iterator[Any]:
    """Remove some blocks while the block of code runs, then put them back."""
    layers, types = list(model.model.layers), getattr(model.config, "layer_types", None)
    drop_layers(model, drop)
    try:
        yield model
    finally:
        _set(model, layers, types)


def kept_layers(layers: int, drop: Iterable[int]) -> list[int]:
    """Return the blocks that are left; ConfigError for a number out of range or given twice, or if none is left."""
    numbers = list(drop)
    wrong = [number for number in numbers if not 0 <= number < layers]
    if wrong:
        raise ConfigError(f"no block {', '.join(map(str, wrong))}: the model has blocks 0 to {layers - 1}")
    if len(set(numbers)) < len(numbers):
        raise ConfigError(f"a block stands twice in the list {', '.join(map(str, numbers))}")
    if len(numbers) == layers:
        raise ConfigError(f"dropping {layers} of {layers} blocks leaves no model")
    return [number for number in range(layers) if number not in numbers]


def _types(model: Any, keep: list[int]) -> list[str] | None:
    types = getattr(model.config, "layer_types", None)
    return None if types is None else [types[number] for number in keep]


def _set(model: Any, layers: list[nn.Module], types: list[str] | None) -> None:
    model.model.layers = nn.ModuleList(layers)
    model.config.num_hidden_layers = len(layers)
    if types is not None:
        model.config.layer_types = types
    for number, layer in enumerate(layers):
        layer.self_attn.layer_idx = number  # type: ignore[union-attr]
