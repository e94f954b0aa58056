"""Read config.json of a checkpoint: a list of the entries that are known, and what each of them may say.

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

from models.adapter_base import base_of
from models.engine.architectures import ARCHITECTURES, QWEN3, Architecture, why_refused
from models.engine.rope import Rope, read_rope
from schemas.errors import ConfigError

COMPUTED = {
    "architectures",
    "attention_bias",
    "eos_token_id",
    "head_dim",
    "hidden_size",
    "intermediate_size",
    "layer_types",
    "max_position_embeddings",
    "max_window_layers",
    "model_type",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "partial_rotary_factor",
    "rms_norm_eps",
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
    "sliding_window",
    "tie_word_embeddings",
    "use_sliding_window",
    "vocab_size",
}
"""Entries that are read, each with a check of its own."""

ONLY: Mapping[str, tuple[object, ...]] = {
    "add_cross_attention": (False,),
    "hidden_act": ("silu", "swish"),
    "is_decoder": (False,),
    "is_encoder_decoder": (False,),
    "mlp_bias": (False,),
    "pruned_heads": ({},),
    "quantization_config": ({},),
    "tie_encoder_decoder": (False,),
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
    "name_or_path",
    "output_attentions",
    "output_hidden_states",
    "pad_token_id",
    "pretraining_tp",
    "return_dict",
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
"""Entries that change no score: training's, notes, and how others compute."""

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
    """What a config.json says on which the forward pass depends."""

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
    architecture: Architecture = QWEN3
    attention_bias: bool = False

    @property
    def biases(self) -> tuple[str, ...]:
        """The projections of attention that have biases."""
        return self.architecture.biased(self.attention_bias)


def read_shape(path: Path) -> ModelShape:
    """Read the shape from a directory's config.json, or that of an adapter's base.

    ConfigError names an entry that is missing or not computed.
    """
    file = base_of(path) / "config.json"
    config = read_json(file)
    architecture = _check_known(path, config)
    hidden, heads = (_whole(file, config, name) for name in ("hidden_size", "num_attention_heads"))
    context = _whole(file, config, "max_position_embeddings")
    theta, rope = read_rope(file, config, context)
    shape = ModelShape(
        layers=_whole(file, config, "num_hidden_layers"),
        hidden=hidden,
        heads=heads,
        # what is not said has the value that transformers gives it, which writes these entries always
        kv_heads=_whole(
            file,
            {"num_key_value_heads": architecture.kv_heads, **config},
            "num_key_value_heads",
            or_null=heads,
        ),
        head_dim=_head_dim(file, config, architecture, hidden, heads),
        mlp=_whole(file, config, "intermediate_size"),
        vocab=_whole(file, config, "vocab_size"),
        context=context,
        rope_theta=theta,
        norm_eps=_epsilon(file, config.get("rms_norm_eps", 1e-6)),
        tied=_truth(file, "tie_word_embeddings", config.get("tie_word_embeddings", False)),
        rope=rope,
        architecture=architecture,
        attention_bias=_attention_bias(file, config, architecture),
    )
    _check_shape(file, shape)
    _check_windows(file, shape, config)
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
    base = base_of(path)
    for file in (base / "generation_config.json", base / "config.json"):
        said = read_json(file).get("eos_token_id") if file.is_file() else None
        if said is not None:
            ids = said if isinstance(said, list) else [said]
            if not all(type(one) is int and one >= 0 for one in ids):
                raise ConfigError(f"{file}: eos_token_id must be an id or a list of ids, not {said!r:.60}")
            return ids
    return []


def _check_known(path: Path, config: Mapping[str, Any]) -> Architecture:
    """Return the architecture; ConfigError for one that is not computed, or for an entry that is not."""
    if refused := why_refused(config):
        raise ConfigError(f"{path} cannot be served: {refused}")
    architecture = ARCHITECTURES[config["model_type"]]
    found = {name: value for name, value in config.items() if _foreign(name, value, architecture)}
    if found:
        raise ConfigError(
            f"{path} is not a plain {architecture.model_type} checkpoint: config.json has {_shown(found)}, "
            "which would not be computed as the model was trained"
        )
    return architecture


def _foreign(name: str, value: object, architecture: Architecture) -> bool:
    if name == "architectures":
        return value not in (None, [], [architecture.model_class])
    return value is not None and name not in _FREE and value not in ONLY.get(name, ())


def _shown(found: Mapping[str, object]) -> str:
    parts = [f"{name}: {value!r:.60}" for name, value in list(found.items())[:3]]
    return ", ".join(parts) + (f" and {len(found) - 3} more" if len(found) > 3 else "")


def _check_shape(file: Path, shape: ModelShape) -> None:
    if shape.heads % shape.kv_heads:
        raise ConfigError(f"{file}: {shape.heads} heads cannot share {shape.kv_heads} key-value heads")
    if shape.head_dim % 2:
        raise ConfigError(f"{file}: head_dim {shape.head_dim} is odd: rotary positions turn pairs")
    if shape.rope.kind == "dynamic" and shape.head_dim == 2:
        raise ConfigError(f"{file}: rope kind 'dynamic' needs a head_dim above 2")


def _check_windows(file: Path, shape: ModelShape, config: Mapping[str, Any]) -> None:
    """Raise ConfigError where a prompt could be longer than what a layer sees of it."""
    window, types = _window(file, shape, config), config.get("layer_types")
    kinds = {"full_attention", "attention", "sliding_attention"}
    if types is not None and not (
        isinstance(types, list) and len(types) == shape.layers and all(one in kinds for one in types)
    ):
        raise ConfigError(
            f"{file}: layer_types must be {shape.layers} times full_attention, not {types!r:.80}"
        )
    if types is not None and "sliding_attention" in types and window is None:
        raise ConfigError(f"{file}: layer_types has sliding_attention, but no sliding_window is used")
    sliding = window is not None if types is None else "sliding_attention" in types
    if sliding and window is not None and window < shape.context:
        raise ConfigError(
            f"{file}: a sliding_window of {window} tokens is not computed, and prompts of up to "
            f"max_position_embeddings {shape.context} would reach it"
        )


def _window(file: Path, shape: ModelShape, config: Mapping[str, Any]) -> int | None:
    """Return the tokens that a sliding layer sees, None where no layer slides."""
    # Llama has no switch in transformers, which ignores a window there; other loaders use it
    implied = shape.architecture.model_type == "llama" and "use_sliding_window" not in config
    if not (implied or _truth(file, "use_sliding_window", config.get("use_sliding_window") or False)):
        return None
    window = _whole(
        file, {"sliding_window": None if implied else 4096, **config}, "sliding_window", or_null=0
    )
    first = 0 if implied else config.get("max_window_layers", 28)
    if type(first) is not int or first < 0:
        raise ConfigError(f"{file}: max_window_layers must be a whole number, not {first!r:.40}")
    return window if window and (first < shape.layers or config.get("layer_types") is not None) else None


def _attention_bias(file: Path, config: Mapping[str, Any], architecture: Architecture) -> bool:
    said = config.get("attention_bias")
    wanted = _truth(file, "attention_bias", False if said is None else said)
    if wanted and not architecture.optional_biases:
        raise ConfigError(
            f"{file}: attention_bias: {architecture.model_type} has biases of its own, and no switch"
        )
    return wanted


def _head_dim(
    file: Path, config: Mapping[str, Any], architecture: Architecture, hidden: int, heads: int
) -> int:
    if architecture.head_dim is not None:
        return _whole(file, {"head_dim": architecture.head_dim, **config}, "head_dim")
    if config.get("head_dim") is not None:
        return _whole(file, config, "head_dim")
    if hidden % heads:
        raise ConfigError(
            f"{file}: hidden_size {hidden} cannot be divided among {heads} num_attention_heads: say head_dim"
        )
    return hidden // heads


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
