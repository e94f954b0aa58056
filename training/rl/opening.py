"""Opens the actor that a run starts from."""

from __future__ import annotations

from pathlib import Path

import torch

from models.card import is_extractive
from training.rl.actor import Actor
from training.rl.extractive import ExtractiveActor


def open_actor(model: Path, device: str = "cpu") -> Actor:
    """The extractive summarizer of a directory, or a new one that begins with a ranker's first layers."""
    name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    make = ExtractiveActor.open if is_extractive(model) else ExtractiveActor.from_ranker
    return make(model, device=name)
