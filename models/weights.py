"""Write a model's weights as one safetensors file that every user may read, because servers run as other users."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

Save = Callable[[dict[str, Tensor], Path, dict[str, str]], None]
"""(tensors, path, metadata) -> None: writes one safetensors file."""


def write_weights(weights: Mapping[str, Tensor], path: Path, save: Save = save_file) -> None:
    """Write contiguous tensors under their names; OSError if the file was not written whole."""
    try:
        save(dict(weights), path, {"format": "pt"})
    except SafetensorError as error:
        raise OSError(f"{path.name} was not written: {error}") from error
    with safe_open(path, "pt") as file:  # reading the names finds a file that was cut short
        if set(file.keys()) != set(weights):
            raise OSError(f"{path.name} was not written whole")
    path.chmod(0o644)  # safetensors makes a file that only its owner may read
