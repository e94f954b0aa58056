"""Read config.json of a Qwen3 checkpoint: a list of the entries that are known, and what each of them may say.

An entry that is not on the list and says anything is refused, because another loader may act on it and would then
give other scores than this engine. To serve such a checkpoint, list the entry here with the values that are honoured.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.engine.rope import Rope, read_rope
from schemas.errors import ConfigError

COMPUTED = {
    "architectures",
    "eos_token_id",
    "head_dim",
    "hidden_size",
    "intermediate_size",
    "layer_types",
    "max_position_embeddings",
    "model_type",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "partial_rotary_factor",
    "rms_norm_eps",
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
    "tie_word_embeddings",
    "vocab_size",
}
"""Entries that are read, each with a check of its own."""

ONLY: Mapping[str, tuple[object, ...]] = {
    "add_cross_attention": (False,),
    "attention_bias": (False,),
    "hidden_act": ("silu", "swish"),
    "is_decoder": (False,),
    "is_encoder_decoder": (False,),
    "mlp_bias": (False,),
    "pruned_heads": ({},),
    "quantization_config": ({},),
    "tie_encoder_decoder": (False,),
    "use_sliding_window": (False,),
}
"""Entries of which one value is computed, besides null."""

WITHOUT_EFFECT = {
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_commit_hash",
    "_name_or_path",
    "attention_dropout",
    "attn_implementation",
    "bos_token_id",
    "chunk_size_feed_forward",
    "dtype",
    "id2label",
    "initializer_range",
    "label2id",
    "max_window_layers",
    "name_or_path",
    "output_attentions",
    "output_hidden_states",
    "pad_token_id",
    "return_dict",
    "sliding_window",
    "tf_legacy_loss",
    "tokenizer_class",
    "torch_dtype",
    "torchscript",
    "transformers_version",
    "unsloth_fixed",
    "unsloth_version",
    "use_bfloat16",
    "use_cache",
}
"""Entries that change no score of a model without sliding windows: training's, notes, and how others compute."""

GENERATION = {
    "bad_words_ids",
    "begin_suppress_tokens",
    "decoder_start_token_id",
    "diversity_penalty",
    "do_sample",
    "early_stopping",
    "encoder_no_repeat_ngram_size",
    "exponential_decay_length_penalty",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "length_penalty",
    "max_length",
    "max_new_tokens",
    "min_length",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_return_sequences",
    "output_scores",
    "remove_invalid_values",
    "repetition_penalty",
    "return_dict_in_generate",
    "sep_token_id",
    "suppress_tokens",
    "temperature",
    "top_k",
    "top_p",
    "typical_p",
}
"""Entries of older versions about decoding, which transformers drops from this file too."""

_FREE = COMPUTED | WITHOUT_EFFECT | GENERATION


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """The numbers of a Qwen3 config.json on which the forward pass depends."""

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
    rope: Rope = field(default_factory=Rope)


def read_shape(path: Path) -> ModelShape:
    """Read the shape from a directory's config.json; ConfigError names an entry that is missing or not computed."""
    file = path / "config.json"
    config = read_json(file)
    _check_known(path, config)
    heads = _whole(file, config, "num_attention_heads")
    context = _whole(file, config, "max_position_embeddings")
    theta, rope = read_rope(file, config, context)
    shape = ModelShape(
        layers=_whole(file, config, "num_hidden_layers"),
        hidden=_whole(file, config, "hidden_size"),
        heads=heads,
        # the two defaults are those of transformers, which writes both entries always
        kv_heads=_whole(file, {"num_key_value_heads": 32, **config}, "num_key_value_heads", or_null=heads),
        head_dim=_whole(file, {"head_dim": 128, **config}, "head_dim"),
        mlp=_whole(file, config, "intermediate_size"),
        vocab=_whole(file, config, "vocab_size"),
        context=context,
        rope_theta=theta,
        norm_eps=_epsilon(file, config.get("rms_norm_eps", 1e-6)),
        tied=_truth(file, "tie_word_embeddings", config.get("tie_word_embeddings", False)),
        rope=rope,
    )
    _check_shape(file, shape, config.get("layer_types"))
    return shape


def read_json(path: Path) -> dict[str, Any]:
    """Read a file's JSON object; ConfigError for one that is absent, torn or holds something else."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"no readable {path.name} in {path.parent}: give a whole Hugging Face checkpoint directory"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path} holds no JSON object")
    return document


def read_end_ids(path: Path) -> list[int]:
    """Return the ids of the end tokens, of generation_config.json before config.json; none where neither names one."""
    for file in (path / "generation_config.json", path / "config.json"):
        said = read_json(file).get("eos_token_id") if file.is_file() else None
        if said is not None:
            ids = said if isinstance(said, list) else [said]
            if not all(type(one) is int and one >= 0 for one in ids):
                raise ConfigError(f"{file}: eos_token_id must be an id or a list of ids, not {said!r:.60}")
            return ids
    return []


def _check_known(path: Path, config: Mapping[str, Any]) -> None:
    if config.get("model_type") is None:
        raise ConfigError(f"{path} is not a plain Qwen3 checkpoint: config.json names no model_type")
    found = {name: value for name, value in config.items() if _foreign(name, value)}
    if found:
        raise ConfigError(
            f"{path} is not a plain Qwen3 checkpoint: config.json has {_shown(found)}, "
            "which would not be computed as the model was trained"
        )


def _foreign(name: str, value: object) -> bool:
    if name == "model_type":
        return value != "qwen3"
    if name == "architectures":
        return value not in (None, [], ["Qwen3ForCausalLM"])
    return value is not None and name not in _FREE and value not in ONLY.get(name, ())


def _shown(found: Mapping[str, object]) -> str:
    parts = [f"{name}: {value!r:.60}" for name, value in list(found.items())[:3]]
    return ", ".join(parts) + (f" and {len(found) - 3} more" if len(found) > 3 else "")


def _check_shape(file: Path, shape: ModelShape, layer_types: object) -> None:
    if shape.heads % shape.kv_heads:
        raise ConfigError(f"{file}: {shape.heads} heads cannot share {shape.kv_heads} key-value heads")
    if shape.head_dim % 2:
        raise ConfigError(f"{file}: head_dim {shape.head_dim} is odd: rotary positions turn pairs")
    if shape.rope.kind == "dynamic" and shape.head_dim == 2:
        raise ConfigError(f"{file}: rope kind 'dynamic' needs a head_dim above 2")
    plain = [["full_attention"] * shape.layers, ["attention"] * shape.layers]
    if layer_types is not None and layer_types not in plain:
        raise ConfigError(
            f"{file}: layer_types must be {shape.layers} times full_attention, not {layer_types!r:.80}"
        )


def _whole(file: Path, config: Mapping[str, Any], name: str, or_null: int | None = None) -> int:
    value = config.get(name)
    if value is None and or_null is not None and name in config:
        return or_null
    if type(value) is not int or value < 1:
        raise ConfigError(f"{file} is incomplete: {name} must be a whole number above 0, not {value!r:.40}")
    return value


def _epsilon(file: Path, value: Any) -> float:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not usable or value < 0:
        raise ConfigError(f"{file}: rms_norm_eps must be a number, not {value!r:.40}")
    return float(value)


def _truth(file: Path, name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{file}: {name} must be true or false, not {value!r:.40}")
    return value
