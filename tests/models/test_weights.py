"""Weights as files: readable by whoever serves them, and whole."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from models import weights


def test_everybody_may_read_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    weights.write_weights({"a": torch.arange(3.0)}, path)
    assert path.stat().st_mode & 0o777 == 0o644
    assert load_file(path)["a"].tolist() == [0.0, 1.0, 2.0]


def test_a_short_write_is_an_error(tmp_path: Path) -> None:
    def short(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str]) -> None:
        save_file(dict(list(tensors.items())[:1]), path, metadata=metadata)

    with pytest.raises(OSError, match=r"model\.safetensors was not written whole"):
        weights.write_weights({"a": torch.ones(1), "b": torch.ones(1)}, tmp_path / "model.safetensors", short)
