"""Stock Hugging Face checkpoint directories of the tiny models: configuration, first weights, saving."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from models.calibration import FILE as CALIBRATION
from models.weights import write_weights
from training.components.finite import check_weights

HIDDEN = 256
HEAD = 64
ROTARY_BASE = 1e8
"""Rotary base, so large that most frequencies hardly turn over 2,048 places: words are compared, not distances."""
PAD, UNK, EOS = 0, 1, 2
CONTEXT = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyShape:
    """Layers, heads of 64 and MLP width of a model whose residual stream is 256 wide."""

    layers: int
    heads: int
    mlp: int


RANKER = TinyShape(layers=5, heads=4, mlp=384)


def tiny_config(vocab_size: int, shape: TinyShape) -> Qwen3Config:
    """A stock Qwen3 configuration with tied embeddings and as many key-value heads as heads."""
    return Qwen3Config(
        vocab_size=vocab_size,
        hidden_size=HIDDEN,
        intermediate_size=shape.mlp,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        head_dim=HEAD,
        max_position_embeddings=CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": ROTARY_BASE},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=EOS,
        pad_token_id=PAD,
    )


def new_model(
    vectors_VD: npt.NDArray[np.float32], shape: TinyShape, rng: torch.Generator
) -> Qwen3ForCausalLM:
    """A model that starts from [V, 256] token vectors and writes nothing into its residual stream.

    Output projections are zero, so that the token vectors reach the head unchanged at first; the others are orthogonal.
    """
    model = Qwen3ForCausalLM(tiny_config(len(vectors_VD), shape))
    model.model.embed_tokens.weight.data.copy_(torch.from_numpy(vectors_VD))
    for layer in model.model.layers:
        attention = layer.self_attn
        for projection in (attention.q_proj, attention.k_proj, attention.v_proj):
            nn.init.orthogonal_(projection.weight, generator=rng)
        nn.init.zeros_(attention.o_proj.weight)
        nn.init.zeros_(layer.mlp.down_proj.weight)
    return model


def save(model: Qwen3ForCausalLM, tokenizer: Tokenizer, out: Path, name: str) -> None:
    """Write a directory that stock loaders and `nearline serve` read, weights in bf16; `name` such as `ranker@1`.

    TrainingDiverged, and nothing written, for weights that are not finite.
    """
    weights = {
        key: value.detach().to(torch.bfloat16).contiguous()
        for key, value in model.state_dict().items()
        if key != "lm_head.weight"
    }
    check_weights(weights)
    out.mkdir(parents=True, exist_ok=True)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",  # noqa: S106
        unk_token="[UNK]",  # noqa: S106
        eos_token="[EOS]",  # noqa: S106
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    ).save_pretrained(out)
    (out / "tokenizer.json").write_text(tokenizer.to_str(pretty=False), encoding="utf-8")
    config = model.config.to_dict() | {
        "_name_or_path": "",
        "architectures": ["Qwen3ForCausalLM"],
        "dtype": "bfloat16",
    }
    _write(out / "config.json", config)
    _write(out / "nearline.json", {"name": name})
    _write(out / "generation_config.json", {"do_sample": False, "eos_token_id": EOS, "pad_token_id": PAD})
    (out / CALIBRATION).unlink(missing_ok=True)
    write_weights(weights, out / "model.safetensors")


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
