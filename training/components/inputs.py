"""The description of a run's settings and inputs, which config.json holds and `--resume` compares."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "transformers", "tokenizers", "numpy")


def describe(config: Any, inputs: Mapping[str, Path], **more: Any) -> dict[str, Any]:
    """The configuration (a settings class), the SHA-256 and path of each input, and versions of the libraries."""
    return {
        "config": asdict(config),
        "inputs": {name: digest(path) for name, path in inputs.items()},
        **more,
        "paths": {name: str(path) for name, path in inputs.items()},
        "versions": {package: version(package) for package in PACKAGES},
    }


def digest(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of a model directory's files but for its `.md`."""
    total = hashlib.sha256()
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if file.is_file() and not file.name.startswith(".") and file.suffix != ".md":
            total.update(file.name.encode())
            with file.open("rb") as opened:
                total.update(hashlib.file_digest(opened, "sha256").digest())
    return total.hexdigest()
