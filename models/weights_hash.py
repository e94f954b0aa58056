"""The hash by which files about a checkpoint know the weights that they were made for."""

from __future__ import annotations

import hashlib
from pathlib import Path


def weights_sha256(checkpoint: Path) -> str:
    """Return the SHA-256 over the checkpoint's *.safetensors files in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted(checkpoint.glob("*.safetensors")):
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
