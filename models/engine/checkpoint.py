"""Read Hugging Face checkpoint directories and adapters of them, and check them whole before anything is served."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from models.adapter_base import base_of, is_adapter
from models.engine.adapter import merge_adapter
from models.engine.configuration import ModelShape, read_end_ids, read_json, read_shape
from models.engine.weight_files import read_weights
from schemas.errors import ConfigError

__all__ = [
    "Checkpoint",
    "ModelShape",
    "expected_weights",
    "load_checkpoint",
    "model_name",
    "read_end_ids",
    "read_shape",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A checkpoint: its served name, shape, ids of end markers, and weights under their Hugging Face names."""

    name: str
    shape: ModelShape
    eos_ids: frozenset[int]
    weights: dict[str, Tensor]


def load_checkpoint(path: Path, role: str) -> Checkpoint:
    """Read a directory, an adapter merged into its base; ConfigError names what is missing, wrong or not computed."""
    shape = read_shape(path)
    weights = read_weights(base_of(path), expected_weights(shape))
    if is_adapter(path):
        merge_adapter(path, weights)
    end = frozenset(read_end_ids(path))
    return Checkpoint(name=model_name(path, role), shape=shape, eos_ids=end, weights=weights)


def model_name(path: Path, role: str) -> str:
    """Return the name that answers carry: `name` of nearline.json, else `role@directory`.

    `role@directory` is generation 0, or 7 of a directory `7`. The directory is part of the name because caches of
    answers tell models apart by their names. ConfigError for a `name` that is no text.
    """
    card, directory = path / "nearline.json", path.resolve().name
    fallback = directory if directory.startswith(f"{role}@") else f"{role}@{directory}"
    name = read_json(card).get("name", fallback) if card.is_file() else fallback
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{card}: name must be a text such as {role}@7, not {name!r:.60}")
    return name


def expected_weights(shape: ModelShape) -> dict[str, tuple[int, ...]]:
    """Return name and shape of every tensor of a checkpoint of this shape."""
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
        "post_attention_layernorm": (shape.hidden,),
        "mlp.gate_proj": (shape.mlp, shape.hidden),
        "mlp.up_proj": (shape.mlp, shape.hidden),
        "mlp.down_proj": (shape.hidden, shape.mlp),
    }
    if shape.architecture.query_key_norms:
        layer |= dict.fromkeys(("self_attn.q_norm", "self_attn.k_norm"), (shape.head_dim,))
    for i in range(shape.layers):
        start = f"model.layers.{i}."
        names |= {f"{start}{name}.weight": size for name, size in layer.items()}
        names |= {f"{start}self_attn.{name}.bias": layer[f"self_attn.{name}"][:1] for name in shape.biases}
    return names
