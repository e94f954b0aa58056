"""Read the weights of a checkpoint directory, so that every command here reads the same tensors of it.

Loaders differ in what they read of a directory that holds both model.safetensors and an index of other files, or a
head beside tied embeddings, so that one directory is two models. Such a directory is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from models.engine.configuration import read_json
from schemas.errors import ConfigError

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
FLOATS = {torch.float64, torch.float32, torch.float16, torch.bfloat16}
HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"
_BUFFER = "rotary_emb.inv_freq"
"""End of the names under which old versions saved frequencies that follow from the configuration."""


def read_weights(path: Path, wanted: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Read the `wanted` tensors, given by name and shape, and no others; ConfigError says what does not fit."""
    weights = {name: w for name, w in _read(path).items() if not name.endswith(_BUFFER)}
    for name, tensor in weights.items():
        if tensor.dtype not in FLOATS:
            raise ConfigError(
                f"{path}: tensor {name} is {_named(tensor.dtype)}: quantized weights are not served, "
                "give a checkpoint in bfloat16, float16 or float32"
            )
    _untie(path, weights, wanted)
    _check_names(path, weights, wanted)
    for name, size in wanted.items():
        _check(path, name, weights.get(name), size)
    return weights


def _read(path: Path) -> dict[str, Tensor]:
    if not (path / INDEX).is_file():
        return read_tensors(path / SINGLE)
    places = _places(path / INDEX)
    if (path / SINGLE).exists() and set(places.values()) != {SINGLE}:
        raise ConfigError(
            f"{path} holds {SINGLE} and an index of other files ({min(places.values())}, …): "
            "loaders read different weights, delete one of the two"
        )
    shards = {shard: read_tensors(path / shard) for shard in sorted(set(places.values()))}
    for shard, found in shards.items():
        listed = {name for name, place in places.items() if place == shard}
        for name in sorted(listed ^ found.keys()):
            told = f"does not place {name}, which {shard} holds"
            raise ConfigError(
                f"{path / INDEX} {told if name in found else f'places {name} in {shard}, in vain'}"
            )
    return {name: shards[place][name] for name, place in places.items()}


def _places(index: Path) -> dict[str, str]:
    """Return the file of each tensor; all must lie in the index's own directory."""
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise ConfigError(f"{index} has no weight_map: give a whole Hugging Face checkpoint directory")
    for name, place in places.items():
        if not isinstance(place, str) or Path(place).name != place or not place.endswith(".safetensors"):
            raise ConfigError(
                f"{index} places {name} in {place!r:.80}, which is no safetensors file of this directory"
            )
    return places


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Read all tensors of a safetensors file; ConfigError for one that is missing or damaged."""
    try:
        tensors: dict[str, Tensor] = load_file(file)
    except Exception as error:  # a damaged file raises SafetensorError, one of an unknown dtype KeyError
        raise ConfigError(f"cannot read the weights {file}: {error}") from error
    return tensors


def _untie(path: Path, weights: dict[str, Tensor], wanted: Mapping[str, tuple[int, ...]]) -> None:
    """Drop a head that repeats the embedding; ConfigError if it differs, because loaders then disagree which counts."""
    if HEAD in wanted or HEAD not in weights:
        return
    head, embedding = weights.pop(HEAD), weights.get(EMBEDDING)
    if embedding is None or head.shape != embedding.shape or not bool((head == embedding).all()):
        raise ConfigError(
            f"{path}: {HEAD} differs from the embedding, but config.json ties them (tie_word_embeddings): "
            "set it to false if the head was trained, else delete the head from the file"
        )


def _check_names(path: Path, weights: Mapping[str, Tensor], wanted: Mapping[str, tuple[int, ...]]) -> None:
    extra = sorted(weights.keys() - wanted.keys())
    if extra:
        more = f" and {len(extra) - 1} more" if len(extra) > 1 else ""
        raise ConfigError(f"{path}: tensor {extra[0]}{more} belongs to no language model of this config.json")


def _check(path: Path, name: str, tensor: Tensor | None, size: tuple[int, ...]) -> None:
    if tensor is None or tuple(tensor.shape) != size:
        found = "missing" if tensor is None else f"{tuple(tensor.shape)}"
        raise ConfigError(f"{path}: tensor {name} must be {size} but is {found}")
    # the extremes of a tensor are NaN if any value is; this reads it once and makes no copy
    if not all(torch.isfinite(extreme) for extreme in torch.aminmax(tensor)):
        raise ConfigError(f"{path}: tensor {name} holds values that are not finite")


def _named(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
