"""Checkpoints as stock Hugging Face directories, with or without what a resumed run needs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from transformers import Qwen3ForCausalLM

from models.weights import write_weights

BESIDE = (
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
)


def weights(module: nn.Module) -> dict[str, Tensor]:
    """The Ranker's weights by their Hugging Face names, whatever wraps it; on the first process only, if sharded."""
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    state: dict[str, Any] = get_model_state_dict(module, options=options)
    return {name.removeprefix("model.").replace("_orig_mod.", ""): tensor for name, tensor in state.items()}


def write_model(
    directory: Path,
    model: Qwen3ForCausalLM,
    state: dict[str, Tensor],
    *,
    source: Path,
    name: str,
    dtype: torch.dtype,
) -> None:
    """Write weights in `dtype`, configuration, tokenizer and generation settings of `source`; answers carry `name`."""
    tied = {"lm_head.weight"} if model.config.tie_word_embeddings else set()
    kept = {key: value.to(dtype).contiguous() for key, value in state.items() if key not in tied}
    write_weights(kept, directory / "model.safetensors")
    config = model.config.to_dict() | {
        "architectures": ["Qwen3ForCausalLM"],
        "dtype": str(dtype).removeprefix("torch."),
    }
    (directory / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    (directory / "nearline.json").write_text(json.dumps({"name": name}) + "\n")
    for file in BESIDE:
        if (source / file).is_file():
            shutil.copyfile(source / file, directory / file)


def write_state(path: Path, state: dict[str, Any]) -> None:
    """A training state. OSError when the disk is full (torch itself raises RuntimeError)."""
    try:
        torch.save(state, path)
    except RuntimeError as error:
        raise OSError(str(error)) from error


def read_state(path: Path) -> dict[str, Any]:
    """A training state, its tensors on the CPU."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state
