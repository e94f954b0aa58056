"""Turn a GGUF file or a Hugging Face directory into a plain directory that the engine serves, with a model card.

The result is opened as the server would open it before it takes its place: what cannot be served is refused here.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.engine.architectures import ARCHITECTURES
from models.engine.checkpoint import load_checkpoint
from models.engine.stock import one_line
from models.prompts import load_tokenizer
from models.weights import write_weights
from models.writing import replacing
from schemas.errors import ConfigError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
BESIDE = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
)
"""Files of a Hugging Face directory that are copied as they are."""
DROPPED = {"quantization_config", "_model_name_or_path", "unk_token_id"}
"""Entries that transformers makes of a GGUF file: that its weights are quantized, which those written here are not, its
title, and a token that the tokenizer's own file names.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What to import and where to; `dtype` None keeps a directory's own and stores a GGUF file in float32.

    `licence`: what the card says, None for what the file names. `day`: the date on the card.
    """

    source: Path
    out: Path
    day: date
    dtype: str | None = None
    licence: str | None = None


def import_model(wanted: Import) -> None:
    """Write the directory, whole or not at all; ConfigError says what exists already or cannot be served."""
    if wanted.out.exists():
        raise ConfigError(f"--out {wanted.out} exists: give a directory that does not exist yet")
    if wanted.dtype not in {None, *DTYPES}:
        raise ConfigError(f"--dtype {wanted.dtype!r} is unknown: use one of {', '.join(DTYPES)}")
    if not wanted.source.exists():
        raise ConfigError(f"{wanted.source} does not exist: give a GGUF file or a Hugging Face directory")
    with replacing(wanted.out) as folder:
        whole = _from_directory if wanted.source.is_dir() else _from_gguf
        said = whole(wanted, folder)
        load_tokenizer(folder)
        weights = load_checkpoint(folder, "ranker").weights
        (folder / "README.md").write_text(card(wanted, said, weights), encoding="utf-8")


def card(wanted: Import, said: str, weights: dict[str, Tensor]) -> str:
    """Return the model card: source, licence if known, what was converted, dtype, date."""
    dtypes = sorted({str(one.dtype).removeprefix("torch.") for one in weights.values()})
    lines = [
        f"# {wanted.out.name}",
        "",
        f"- source: `{wanted.source.name}`",
        f"- licence: {wanted.licence or 'unknown: see the source'}",
        f"- converted: {said}, {sum(one.numel() for one in weights.values()):,} weights",
        f"- dtype: {', '.join(dtypes)}",
        f"- date: {wanted.day.isoformat()}",
    ]
    return "\n".join(lines) + "\n"


def _from_directory(wanted: Import, folder: Path) -> str:
    weights = load_checkpoint(wanted.source, "ranker").weights
    for name in BESIDE:
        if (wanted.source / name).is_file():
            shutil.copyfile(wanted.source / name, folder / name)
    _write(weights, folder, wanted.dtype)
    return "a Hugging Face directory, its weights in one file"


def _from_gguf(wanted: Import, folder: Path) -> str:
    names = _checked_names(wanted.source)
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer  # slow to import

        place = {"pretrained_model_name_or_path": wanted.source.parent, "gguf_file": wanted.source.name}
        model, info = AutoModelForCausalLM.from_pretrained(
            **place, dtype=torch.float32, output_loading_info=True
        )
        AutoTokenizer.from_pretrained(**place).save_pretrained(folder)
    except Exception as error:  # the reader and transformers have an error of their own for each defect
        raise ConfigError(f"cannot read {wanted.source}: {one_line(error)}") from error
    tied = bool(model.config.tie_word_embeddings)
    weights = {name: w for name, w in model.state_dict().items() if not (tied and name == "lm_head.weight")}
    _check_all_used(wanted.source, names, weights, info)
    config = {name: value for name, value in model.config.to_dict().items() if name not in DROPPED}
    config |= {"architectures": [type(model).__name__], "dtype": wanted.dtype or "float32"}
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    _write(weights, folder, wanted.dtype)
    return "a GGUF file, its weights dequantized"


def _checked_names(file: Path) -> list[str]:
    """Return the names of a GGUF file's tensors; ConfigError for a file that would be computed otherwise."""
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise ConfigError("GGUF files are read by the package gguf: pip install 'gguf'") from error
    try:
        reader = GGUFReader(file)
        fields: dict[str, Any] = {name: field.contents() for name, field in reader.fields.items()}
        names = [tensor.name for tensor in reader.tensors]
    except Exception as error:  # a torn file raises whatever numpy finds first
        raise ConfigError(f"{file} is no whole GGUF file: {one_line(error)}; fetch it again") from error
    said = fields.get("general.architecture")
    if said not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ConfigError(f"{file} is of the architecture {said!r:.60}: those computed here are {known}")
    scaling = fields.get(f"{said}.rope.scaling.type", "none")
    if scaling != "none" or "rope_freqs.weight" in names:
        raise ConfigError(f"{file} scales rotary positions, which is lost on the way: import its original")
    return names


def _check_all_used(file: Path, names: list[str], weights: dict[str, Tensor], info: Any) -> None:
    """Raise ConfigError where a weight would be random because the file has none, or one of the file is not used."""
    missing = sorted(name for name in info["missing_keys"] if name in weights)
    if missing or len(names) != len(weights):
        which = f", such as {missing[0]}" if missing else ""
        raise ConfigError(
            f"{file} holds {len(names)} tensors where the model has {len(weights)}{which}: "
            "it is not whole, or has parts that are not computed"
        )


def _write(weights: dict[str, Tensor], folder: Path, dtype: str | None) -> None:
    chosen = DTYPES[dtype] if dtype else None
    write_weights(
        {name: w.detach().to(chosen or w.dtype).contiguous() for name, w in weights.items()},
        folder / "model.safetensors",
    )
