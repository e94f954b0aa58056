"""Writing checkpoints as stock Hugging Face directories, and the state that a resumed run needs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from transformers import PreTrainedModel

from models.weights import write_weights
from training.components.finite import check_weights

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
    """A `RankerModule`'s weights by their Hugging Face names, through DDP, FSDP or compilation.

    If sharded, on rank 0 only.
    """
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    state: dict[str, Any] = get_model_state_dict(module, options=options)
    return {name.removeprefix("model.").replace("_orig_mod.", ""): tensor for name, tensor in state.items()}


def write_model(
    directory: Path,
    model: PreTrainedModel,
    state: dict[str, Tensor],
    *,
    source: Path,
    name: str,
    dtype: torch.dtype,
) -> None:
    """Write weights in `dtype`, the configuration, and the tokenizer files of `source`.

    `name` is the model's name in answers. TrainingDiverged, and nothing written, for weights that are not finite.
    """
    tied = {"lm_head.weight"} if model.config.tie_word_embeddings else set()
    kept = {key: value.to(dtype).contiguous() for key, value in state.items() if key not in tied}
    check_weights(kept)
    write_weights(kept, directory / "model.safetensors")
    config = model.config.to_dict() | {
        "architectures": [type(model).__name__],
        "dtype": str(dtype).removeprefix("torch."),
    }
    (directory / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    (directory / "nearline.json").write_text(json.dumps({"name": name}) + "\n")
    for file in BESIDE:
        if (source / file).is_file():
            shutil.copyfile(source / file, directory / file)


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write a training state. OSError when the disk is full (torch itself raises RuntimeError)."""
    try:
        torch.save(state, path)
    except RuntimeError as error:
        raise OSError(str(error)) from error


def read_state(path: Path) -> dict[str, Any]:
    """Read a training state, its tensors on the CPU."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state
