"""Place an adapter beside a base on this machine: its settings then name the base's directory, and it can be served."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from models.adapter_base import ADAPTER_CONFIG, BASE, check_whole, is_adapter, read_adapter_config
from models.engine.checkpoint import load_checkpoint
from models.writing import replacing
from schemas.errors import ConfigError


def place_adapter(adapter: Path, base: Path, out: Path) -> None:
    """Write the adapter's files to `out`, with the base named; nothing is written unless the two fit.

    ConfigError where `adapter` is no adapter, does not fit the base, or `out` holds something else.
    """
    if not is_adapter(adapter):
        raise ConfigError(
            f"{adapter} holds no {ADAPTER_CONFIG}: give a directory such as RUN/best of an adapter's run"
        )
    check_whole(base)
    if out.exists() and not is_adapter(out):
        raise ConfigError(
            f"--out {out} exists and is no adapter: it would be replaced; give another directory"
        )
    config = read_adapter_config(adapter) | {BASE: str(base.resolve())}
    with replacing(out) as folder:
        shutil.copytree(adapter, folder, dirs_exist_ok=True)
        (folder / ADAPTER_CONFIG).write_text(
            json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8"
        )
        load_checkpoint(folder, "ranker")
