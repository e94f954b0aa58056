"""A checkpoint directory as a transformers model, for pruning, training and checks: what serving refuses is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from models.adapter_base import check_whole
from models.engine.checkpoint import load_checkpoint
from schemas.errors import ConfigError


def open_stock(path: Path, dtype: torch.dtype = torch.float32) -> tuple[Any, torch.dtype]:
    """Return a directory's model in `dtype`, and the type that its weights are stored in; raises ConfigError."""
    import transformers  # slow to import

    check_whole(path)
    checkpoint = load_checkpoint(path, "ranker")
    stored = checkpoint.weights["model.embed_tokens.weight"].dtype
    model_class = getattr(transformers, checkpoint.shape.architecture.model_class)
    try:
        model = model_class.from_pretrained(path, dtype=dtype)
    except (
        Exception
    ) as error:  # transformers checks every entry of both files by itself, each with its own error
        raise ConfigError(f"{path} cannot be opened by transformers: {one_line(error)}") from error
    return model, stored


def one_line(error: Exception) -> str:
    """Return an error's message without line breaks, at most 300 characters of it."""
    return " ".join(str(error).split())[:300]
