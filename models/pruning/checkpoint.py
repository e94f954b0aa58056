"""Load a checkpoint directory to prune it, and save it as a stock one of the same dtype, tokenizer and tied head."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.calibration import FILE as CALIBRATION
from models.engine.stock import open_stock
from models.pruning.lineage import LineageStep, write_card
from models.weights import write_weights
from models.writing import replacing
from schemas.errors import ConfigError

Writer = Callable[[dict[str, Tensor], Path], None]
"""(weights, path) -> None: writes one safetensors file."""
CHANGED = ("intermediate_size", "num_hidden_layers", "layer_types")
"""Fields of config.json that pruning changes; all others are copied from the parent."""
_NOT_COPIED = {"config.json", "README.md", "README.parent.md", "lineage.json", "nearline.json", CALIBRATION}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedCheckpoint:
    """A checked checkpoint: a transformers model that may be changed, its directory, and the dtype it is stored in."""

    model: Any
    path: Path
    dtype: torch.dtype


def load(path: Path, device: str = "cpu", dtype: torch.dtype = torch.float32) -> LoadedCheckpoint:
    """Load a directory that the engine serves; ConfigError names what is missing, wrong or not computed."""
    if device not in {"cpu", *_cuda_names()}:
        raise ConfigError(f"--device {device}: no such device here; leave it out for the CPU")
    model, stored = open_stock(path, dtype)
    model = model.to(device).eval()
    return LoadedCheckpoint(model=model.requires_grad_(requires_grad=False), path=path, dtype=stored)


def save(
    source: LoadedCheckpoint,
    out: Path,
    step: LineageStep,
    *,
    name: str | None = None,
    writer: Writer | None = None,
) -> None:
    """Write the model in its present state to `out`, whole or not at all.

    `name` is what servers call it (nearline.json); without one they use the directory's name. The card lists the
    parent's steps and this one. ConfigError if `out` is the source or no checkpoint, StoreFull for a full disk.
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
    """Return the number of a model's weights; a tied head counts once."""
    return sum(weight.numel() for weight in model.parameters())


def _weights(source: LoadedCheckpoint) -> dict[str, Tensor]:
    tied = bool(source.model.config.tie_word_embeddings)
    weights = {
        key: value.detach().to("cpu", source.dtype).contiguous()
        for key, value in source.model.state_dict().items()
        if not (tied and key == "lm_head.weight")
    }
    for name, weight in weights.items():
        if not torch.isfinite(weight).all():
            raise ConfigError(
                f"the pruned weights {name} are not finite in {source.dtype}: nothing was written"
            )
    return weights


def _write_config(source: LoadedCheckpoint, folder: Path) -> None:
    """Write the parent's config.json with the changed numbers; `layer_types` only if the parent has it."""
    config = json.loads((source.path / "config.json").read_text(encoding="utf-8"))
    new = {key: getattr(source.model.config, key, None) for key in CHANGED}
    config |= {key: value for key, value in new.items() if key != "layer_types" or key in config}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _copy_others(source: Path, folder: Path) -> None:
    """Copy tokenizer, chat template, generation settings: every file but weights, cards and config.json."""
    for path in source.iterdir():
        foreign = path.suffix in {".safetensors", ".bin", ".pt", ".pth", ".gguf"} or path.name.endswith(
            ".index.json"
        )
        if path.is_file() and path.name not in _NOT_COPIED and not foreign:
            shutil.copyfile(path, folder / path.name)
