"""Hugging Face checkpoint directories: checked whole before a server says that it is ready."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from schemas.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The numbers of a Qwen3 config.json that decide the forward pass."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    mlp: int
    vocab: int
    context: int
    rope_theta: float
    norm_eps: float
    tied: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A directory's name, shape, end markers and weights (by their Hugging Face names)."""

    name: str
    shape: Shape
    eos_ids: frozenset[int]
    weights: dict[str, Tensor]


def load_checkpoint(path: Path, role: str) -> Checkpoint:
    """Read a directory; ConfigError names the missing file, the foreign architecture or the bad tensor."""
    shape = read_shape(path)
    weights = _load_weights(path)
    _check_weights(path, shape, weights)
    return Checkpoint(name=model_name(path, role), shape=shape, eos_ids=_eos_ids(path), weights=weights)


def read_shape(path: Path) -> Shape:
    """The shape that a directory's config.json tells; raises ConfigError."""
    return _shape(path, _read_json(path / "config.json"))


def model_name(path: Path, role: str) -> str:
    """The name that answers carry: `name` in nearline.json, else `role@directory`, which is generation 0 (or 7 of a `7/`).

    The directory is in it because whoever caches answers tells models apart by their names.
    """
    card, directory = path / "nearline.json", path.resolve().name
    fallback = directory if directory.startswith(f"{role}@") else f"{role}@{directory}"
    return str(_read_json(card).get("name", fallback)) if card.is_file() else fallback


def expected_weights(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of the architecture."""
    q, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    names: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (shape.vocab, shape.hidden),
        "model.norm.weight": (shape.hidden,),
    }
    if not shape.tied:
        names["lm_head.weight"] = (shape.vocab, shape.hidden)
    layer = {
        "input_layernorm": (shape.hidden,),
        "self_attn.q_proj": (q, shape.hidden),
        "self_attn.k_proj": (kv, shape.hidden),
        "self_attn.v_proj": (kv, shape.hidden),
        "self_attn.o_proj": (shape.hidden, q),
        "self_attn.q_norm": (shape.head_dim,),
        "self_attn.k_norm": (shape.head_dim,),
        "post_attention_layernorm": (shape.hidden,),
        "mlp.gate_proj": (shape.mlp, shape.hidden),
        "mlp.up_proj": (shape.mlp, shape.hidden),
        "mlp.down_proj": (shape.hidden, shape.mlp),
    }
    for i in range(shape.layers):
        names |= {f"model.layers.{i}.{name}.weight": size for name, size in layer.items()}
    return names


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text())
    except OSError as error:
        raise ConfigError(
            f"no readable {path.name} in {path.parent}: give a whole Hugging Face checkpoint directory"
        ) from error
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path} holds no JSON object")
    return document


def _shape(path: Path, config: dict[str, Any]) -> Shape:
    _check_architecture(path, config)
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    try:
        heads, hidden = int(config["num_attention_heads"]), int(config["hidden_size"])
        return Shape(
            layers=int(config["num_hidden_layers"]),
            hidden=hidden,
            heads=heads,
            kv_heads=int(config.get("num_key_value_heads") or heads),
            head_dim=int(config.get("head_dim") or hidden // heads),
            mlp=int(config["intermediate_size"]),
            vocab=int(config["vocab_size"]),
            context=int(config["max_position_embeddings"]),
            rope_theta=float(rope.get("rope_theta") or config.get("rope_theta") or 10_000.0),
            norm_eps=float(config.get("rms_norm_eps", 1e-6)),
            tied=bool(config.get("tie_word_embeddings", False)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{path / 'config.json'} is incomplete: {error!r}") from error


def _check_architecture(path: Path, config: dict[str, Any]) -> None:
    kind = config.get("model_type")
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    variants = {
        "model_type": kind not in {"qwen3", None} and kind,
        "attention_bias": config.get("attention_bias"),
        "use_sliding_window": config.get("use_sliding_window"),
        "quantization_config": config.get("quantization_config"),
        "rope type": rope.get("rope_type", "default") != "default" and rope["rope_type"],
        "hidden_act": config.get("hidden_act", "silu") != "silu" and config["hidden_act"],
    }
    found = {name: value for name, value in variants.items() if value}
    if kind is None or found:
        raise ConfigError(
            f"{path} is not a plain Qwen3 checkpoint: {found or 'config.json names no model_type'}"
        )


def _eos_ids(path: Path) -> frozenset[int]:
    files = [path / "generation_config.json", path / "config.json"]
    said = [_read_json(file).get("eos_token_id") for file in files if file.is_file()]
    eos: Any = next((value for value in said if value is not None), [])
    return frozenset(eos if isinstance(eos, list) else [int(eos)])


def _load_weights(path: Path) -> dict[str, Tensor]:
    index = path / "model.safetensors.index.json"
    names = {"model.safetensors"}
    if index.is_file():
        names = set(_read_json(index).get("weight_map", {}).values())
    weights: dict[str, Tensor] = {}
    for name in sorted(names):
        try:
            weights |= load_file(path / name)
        except (OSError, SafetensorError) as error:
            raise ConfigError(f"cannot read the weights {path / name}: {error}") from error
    return weights


def _check_weights(path: Path, shape: Shape, weights: dict[str, Tensor]) -> None:
    for name, size in expected_weights(shape).items():
        tensor = weights.get(name)
        if tensor is None or tuple(tensor.shape) != size:
            found = "missing" if tensor is None else f"{tuple(tensor.shape)}"
            raise ConfigError(f"{path}: tensor {name} must be {size} but is {found}")
        if not torch.isfinite(tensor).all():
            raise ConfigError(f"{path}: tensor {name} holds values that are not finite")
