"""Weights to disk: one safetensors file that all may read, as servers run under users of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor


def write_weights(weights: Mapping[str, Tensor], path: Path) -> None:
    """Contiguous tensors as they are; OSError if the file was not written whole."""
    save_file(dict(weights), path, metadata={"format": "pt"})
    with safe_open(path, "pt") as file:  # what was written can be read: a short write is found now
        if set(file.keys()) != set(weights):
            raise OSError(f"{path.name} was not written whole")
    path.chmod(0o644)  # safetensors leaves its file to its owner alone
