"""Read a GGUF file as transformers reads it, and refuse the file where the model would be computed otherwise."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.engine.architectures import ARCHITECTURES
from models.engine.stock import one_line
from schemas.errors import ConfigError

DROPPED = {"quantization_config", "_model_name_or_path", "_name_or_path", "unk_token_id"}
"""Entries that transformers makes of a GGUF file: that its weights are quantized, which those written here are not, its
title and place, and a token that the tokenizer's own file names.
"""
DIGIT_BY_DIGIT = "smollm"
"""Name in GGUF files of the rule that takes every digit alone and splits the rest as GPT-2 does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufHeader:
    """What a GGUF file says of itself: the names of its tensors, its licence, and how its tokenizer splits texts."""

    names: list[str]
    licence: str | None
    splitting: str | None
    """Name of the splitting rule of a byte-level tokenizer; None for a tokenizer of another kind."""


def read_header(file: Path) -> GgufHeader:
    """Return what the file says of itself; ConfigError for one that would be computed otherwise or is not whole."""
    reader, fields = _opened(file)
    names = [str(tensor.name) for tensor in reader.tensors]
    _check_architecture(file, fields, names)
    _check_types(file, reader.tensors)
    licence = fields.get("general.license")
    return GgufHeader(
        names=names, licence=str(licence) if licence else None, splitting=_splitting(file, fields)
    )


def read_model(file: Path, header: GgufHeader) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return config.json and the weights in float32; ConfigError where a weight would be random or not be used."""
    from transformers import AutoModelForCausalLM  # slow to import

    how = {"dtype": torch.float32, "output_loading_info": True, "ignore_mismatched_sizes": True}
    try:
        with _quiet():
            model, info = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, **how)
    except Exception as error:  # the reader and transformers have an error of their own for each defect
        raise ConfigError(f"cannot read {file}: {one_line(error)}") from error
    tied = bool(model.config.tie_word_embeddings)
    weights = {name: w for name, w in model.state_dict().items() if not (tied and name == "lm_head.weight")}
    _check_all_used(file, header.names, weights, info)
    config = {name: value for name, value in model.config.to_dict().items() if name not in DROPPED}
    return config | {"architectures": [type(model).__name__]}, weights


def write_tokenizer(file: Path, header: GgufHeader, folder: Path) -> None:
    """Write the file's tokenizer in the form of transformers, splitting texts by the rule that the file names."""
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
    from transformers import AutoTokenizer  # slow to import

    try:
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    except Exception as error:  # as in read_model
        raise ConfigError(f"cannot read the tokenizer of {file}: {one_line(error)}") from error
    if header.splitting == DIGIT_BY_DIGIT:
        parts = [Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]
        tokenizer.backend_tokenizer.pre_tokenizer = Sequence(parts)
    tokenizer.save_pretrained(folder)


@contextmanager
def _quiet() -> Iterator[None]:
    """Show neither the progress bars of two libraries nor a report of what `_check_all_used` says in one line."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(before)


def _opened(file: Path) -> tuple[Any, dict[str, Any]]:
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise ConfigError("GGUF files are read by the package gguf: pip install 'gguf'") from error
    try:
        reader = GGUFReader(file)
        return reader, {name: field.contents() for name, field in reader.fields.items()}
    except Exception as error:  # a torn file raises whatever numpy finds first
        if "GGMLQuantizationType" in str(error):
            raise ConfigError(
                f"{file} has a tensor of a type that the package gguf does not know ({one_line(error)}): "
                "import the original directory"
            ) from error
        raise ConfigError(f"{file} is no whole GGUF file: {one_line(error)}; fetch it again") from error


def _check_architecture(file: Path, fields: dict[str, Any], names: list[str]) -> None:
    said = fields.get("general.architecture")
    if said not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ConfigError(f"{file} is of the architecture {said!r:.60}: those computed here are {known}")
    scaling = fields.get(f"{said}.rope.scaling.type", "none")
    if scaling != "none" or "rope_freqs.weight" in names:
        raise ConfigError(f"{file} scales rotary positions, which is lost on the way: import its original")


def _check_types(file: Path, tensors: list[Any]) -> None:
    """Raise ConfigError for the first tensor of a type that cannot be turned into numbers."""
    import numpy as np
    from gguf import dequantize

    for kind, tensor in {tensor.tensor_type: tensor for tensor in reversed(tensors)}.items():
        try:
            dequantize(np.atleast_2d(tensor.data)[:1], kind)
        except NotImplementedError:
            raise ConfigError(
                f"{file}: tensor {tensor.name} is of the type {kind.name}, which cannot be read: "
                "import the original directory, or a file of another type"
            ) from None


def _splitting(file: Path, fields: dict[str, Any]) -> str | None:
    """Return the splitting rule of a byte-level tokenizer; ConfigError for one that would be read as GPT-2's."""
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    if fields.get("tokenizer.ggml.model") != "gpt2":
        return None
    named = fields.get("tokenizer.ggml.pre")
    known = {"gpt-2", DIGIT_BY_DIGIT, *GGUF_PRE_TOKENIZER_SPLITS}
    if named not in known:
        raise ConfigError(
            f"{file}: its tokenizer splits texts by the rule {named!r:.60} (tokenizer.ggml.pre), "
            "which is not known here: import the original directory"
        )
    return str(named)


def _check_all_used(file: Path, names: list[str], weights: dict[str, Tensor], info: Any) -> None:
    """Raise ConfigError where a weight would be random because the file has none, or one of the file is not used."""
    for name, found, size in sorted(info["mismatched_keys"]):
        raise ConfigError(f"{file}: tensor {name} must be {tuple(size)} but is {tuple(found)}")
    missing = sorted(name for name in info["missing_keys"] if name in weights)
    if missing or len(names) != len(weights):
        which = f", such as {missing[0]}" if missing else ""
        raise ConfigError(
            f"{file} holds {len(names)} tensors where the model has {len(weights)}{which}: "
            "it is not whole, or has parts that are not computed"
        )
