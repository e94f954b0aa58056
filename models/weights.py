"""Weights to disk: one safetensors file that all may read, as servers run under users of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

Save = Callable[[dict[str, Tensor], Path, dict[str, str]], None]
"""Tensors, path, metadata: writes one safetensors file."""


def write_weights(weights: Mapping[str, Tensor], path: Path, save: Save = save_file) -> None:
    """Contiguous tensors as they are; OSError if the file was not written whole."""
    try:
        save(dict(weights), path, {"format": "pt"})
    except SafetensorError as error:
        raise OSError(f"{path.name} was not written: {error}") from error
    with safe_open(path, "pt") as file:  # what was written can be read: a short write is found now
        if set(file.keys()) != set(weights):
            raise OSError(f"{path.name} was not written whole")
    path.chmod(0o644)  # safetensors leaves its file to its owner alone
