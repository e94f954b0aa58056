"""The ranker of `--models smollm2`: a low-rank adapter on SmolLM2-135M-Instruct, which a package brings."""

from __future__ import annotations

import sys
from pathlib import Path

from schemas.errors import ConfigError

SHIPPED = Path(__file__).parents[2] / "models" / "checkpoints" / "ranker-smollm2"
HOW = (
    "train one: `nearline train sft --recipe adapter_smollm2` (docs/training.md), and give --adapter RUN/best"
)


def smollm2_ranker(adapter: Path | None, folder: Path) -> Path:
    """Import the base into `folder` unless it is there, place the adapter beside it, and return the ranker's directory.

    ConfigError where the package, the adapter or torch is missing, or where base and adapter do not fit.
    """
    chosen = adapter or SHIPPED
    if not chosen.is_dir():
        raise ConfigError(f"--models smollm2: there is no adapter in {chosen}: {HOW}")
    try:
        from models.placing import place_adapter
        from models.smollm2 import SmolLM2Unavailable, imported
    except ImportError as error:
        raise ConfigError(
            "--models smollm2 needs torch: pip install 'nearline-job-search[models]'"
        ) from error
    try:
        base = imported(folder, progress=_tell)
    except SmolLM2Unavailable as error:
        raise ConfigError(f"--models smollm2: {error}") from error
    ranker = folder / "ranker-smollm2"
    place_adapter(chosen, base, ranker)
    return ranker


def _tell(line: str) -> None:
    print(line, file=sys.stderr)
