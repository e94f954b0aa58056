"""Qwen3 directories in, stock Hugging Face directories out: the same dtype, tokenizer and tied head, fewer weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.engine.checkpoint import load_checkpoint
from models.pruning.lineage import Step, write_card
from models.weights import write_weights
from models.writing import replacing
from schemas.errors import ConfigError

Writer = Callable[[dict[str, Tensor], Path], None]
"""(weights, path): writes one safetensors file."""
CHANGED = ("intermediate_size", "num_hidden_layers", "layer_types")
"""What pruning changes of a config.json; all else stays as the parent wrote it."""
OWN = {"config.json", "README.md", "README.parent.md", "lineage.json", "nearline.json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A checked checkpoint: a Qwen3ForCausalLM to work on, where it came from, and the dtype it is stored in."""

    model: Any
    path: Path
    dtype: torch.dtype


def load(path: Path, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Source:
    """Read any plain Qwen3 directory; ConfigError names the missing file, the foreign architecture or the bad tensor."""
    from transformers import Qwen3ForCausalLM  # slow to import

    if device not in {"cpu", *_cuda_names()}:
        raise ConfigError(f"--device {device}: no such device here; leave it out for the CPU")
    stored = load_checkpoint(path, "ranker").weights["model.embed_tokens.weight"].dtype
    model = Qwen3ForCausalLM.from_pretrained(path, dtype=dtype).to(device).eval()
    return Source(model=model.requires_grad_(requires_grad=False), path=path, dtype=stored)


def save(
    source: Source, out: Path, step: Step, *, name: str | None = None, writer: Writer | None = None
) -> None:
    """Write the model, as it is by now, to `out` whole or not at all; ConfigError if `out` is the source itself.

    `name` is what servers call it (nearline.json); without one they go by the directory's name. A card with the
    parent's steps and this one goes with it.
    """
    if out.resolve() == source.path.resolve():
        raise ConfigError(f"--out {out} is the checkpoint that is read: give another directory")
    if out.exists() and not (out / "config.json").is_file() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(
            f"--out {out} exists and is no checkpoint: it would be replaced; give another directory"
        )
    write = writer or write_weights
    with replacing(out) as folder:
        _copy_others(source.path, folder)
        _write_config(source, folder)
        if name:
            (folder / "nearline.json").write_text(json.dumps({"name": name}) + "\n", encoding="utf-8")
        write_card(folder, name or out.name, source.path, step)
        write(_weights(source), folder / "model.safetensors")


def _cuda_names() -> list[str]:
    count = torch.cuda.device_count()
    return [*(["cuda"] if count else []), *(f"cuda:{number}" for number in range(count))]


def parameters(model: Any) -> int:
    """Weights of a model, a tied head counted once."""
    return sum(weight.numel() for weight in model.parameters())


def _weights(source: Source) -> dict[str, Tensor]:
    tied = bool(source.model.config.tie_word_embeddings)
    return {
        key: value.detach().to("cpu", source.dtype).contiguous()
        for key, value in source.model.state_dict().items()
        if not (tied and key == "lm_head.weight")
    }


def _write_config(source: Source, folder: Path) -> None:
    """The parent's config.json with the changed numbers, `layer_types` only if it had them."""
    config = json.loads((source.path / "config.json").read_text(encoding="utf-8"))
    new = {key: getattr(source.model.config, key) for key in CHANGED}
    config |= {key: value for key, value in new.items() if key != "layer_types" or key in config}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _copy_others(source: Path, folder: Path) -> None:
    """Tokenizer, chat template, generation settings: all files at the top but weights, cards and configuration."""
    for path in source.iterdir():
        foreign = path.suffix in {".safetensors", ".bin", ".pt", ".pth", ".gguf"} or path.name.endswith(
            ".index.json"
        )
        if path.is_file() and path.name not in OWN and not foreign:
            shutil.copyfile(path, folder / path.name)
