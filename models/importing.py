"""Turn a GGUF file or a Hugging Face directory into a plain directory that the engine serves, with a model card.

The result is opened as the server would open it before it takes its place: what cannot be served is refused here.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import torch
from torch import Tensor

from models.adapter_base import base_of, is_adapter
from models.card import CARD, prompt_tokens
from models.engine.checkpoint import load_checkpoint, model_name
from models.gguf_file import read_header, read_model, write_tokenizer
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
Log = Callable[[str], None]
"""Called with one line of progress at a time."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What was made of a source, and the licence that the source itself names."""

    what: str
    licence: str | None


def import_model(wanted: Import, progress: Log = lambda _: None) -> None:
    """Write the directory, whole or not at all; ConfigError says what exists already or cannot be served."""
    if wanted.out.exists():
        raise ConfigError(f"--out {wanted.out} exists: give a directory that does not exist yet")
    if wanted.dtype not in {None, *DTYPES}:
        raise ConfigError(f"--dtype {wanted.dtype!r} is unknown: use one of {', '.join(DTYPES)}")
    if not wanted.source.exists():
        raise ConfigError(f"{wanted.source} does not exist: give a GGUF file or a Hugging Face directory")
    with replacing(wanted.out) as folder:
        convert = _from_directory if wanted.source.is_dir() else _from_gguf
        done = convert(wanted, folder, progress)
        progress("checking the result as the server would open it")
        load_tokenizer(folder)
        weights = load_checkpoint(folder, "ranker").weights
        (folder / "README.md").write_text(card(wanted, done, weights), encoding="utf-8")
    progress(f"written: {wanted.out}, {done.what}, {_described(weights)}")


def card(wanted: Import, done: Converted, weights: dict[str, Tensor]) -> str:
    """Return the model card: source, licence if known, what was converted, dtype, date."""
    lines = [
        f"# {wanted.out.name}",
        "",
        f"- source: `{wanted.source.name}`",
        f"- licence: {wanted.licence or done.licence or 'unknown: see the source'}",
        f"- converted: {done.what}",
        f"- weights: {_described(weights)}",
        f"- date: {wanted.day.isoformat()}",
    ]
    return "\n".join(lines) + "\n"


def _described(weights: dict[str, Tensor]) -> str:
    dtypes = sorted({str(one.dtype).removeprefix("torch.") for one in weights.values()})
    return f"{sum(one.numel() for one in weights.values()):,} weights in {', '.join(dtypes)}"


def _from_directory(wanted: Import, folder: Path, _: Log) -> Converted:
    weights = load_checkpoint(wanted.source, "ranker").weights
    for name in BESIDE:
        if (base_of(wanted.source) / name).is_file():
            shutil.copyfile(base_of(wanted.source) / name, folder / name)
    if is_adapter(wanted.source):
        _write_card(wanted.source, folder)
    _write(weights, folder, wanted.dtype)
    return Converted(what=_kind(wanted.source), licence=None)


def _kind(source: Path) -> str:
    if is_adapter(source):
        return "an adapter, merged into its base"
    return "a Hugging Face directory, its weights in one file"


def _write_card(adapter: Path, folder: Path) -> None:
    """Keep of an adapter's card what holds for the merged model too: its prompts, and its name with a mark."""
    card = {"name": f"{model_name(adapter, 'ranker')}-merged", "prompt_tokens": prompt_tokens(adapter)}
    (folder / CARD).write_text(json.dumps(card) + "\n", encoding="utf-8")


def _from_gguf(wanted: Import, folder: Path, progress: Log) -> Converted:
    header = read_header(wanted.source)
    progress(f"{wanted.source.name}: {len(header.names)} tensors, read and dequantized one by one")
    config, weights = read_model(wanted.source, header)
    write_tokenizer(wanted.source, header, folder)
    config |= {"dtype": wanted.dtype or "float32"}
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    _write(weights, folder, wanted.dtype)
    return Converted(what="a GGUF file, its weights dequantized", licence=header.licence)


def _write(weights: dict[str, Tensor], folder: Path, dtype: str | None) -> None:
    chosen = DTYPES[dtype] if dtype else None
    write_weights(
        {name: w.detach().to(chosen or w.dtype).contiguous() for name, w in weights.items()},
        folder / "model.safetensors",
    )
