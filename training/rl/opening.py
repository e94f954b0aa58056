"""The actor that a run's settings name, opened from a checkpoint directory."""

from __future__ import annotations

from pathlib import Path

import torch

from models.card import is_extractive
from schemas.errors import ConfigError
from training.rl.actor import Actor
from training.rl.baselines.words import Count
from training.rl.config import RlConfig
from training.rl.extractive import ExtractiveActor
from training.rl.generative import GenerativeActor, Sampling


def open_actor(config: RlConfig, model: Path, count: Count, *, name: str, device: str) -> Actor:
    """Open an extractive summarizer, a new one of a ranker's first layers, or a causal language model.

    `count`: lengths in the ranker's tokens; `name`: of a generative summarizer that is saved. ConfigError for a
    directory that does not fit `config.actor`.
    """
    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if config.actor == "generative":
        _check_generative(model)
        sampling = Sampling(temperature=config.temperature, max_tokens=config.max_tokens)
        return GenerativeActor.open(model, sampling, count, name=name, device=where)
    if is_extractive(model):
        return ExtractiveActor.open(model, device=where)
    return ExtractiveActor.from_ranker(model, device=where)


def _check_generative(model: Path) -> None:
    if is_extractive(model):
        raise ConfigError(
            f"--model {model} chooses phrases: a generative actor needs a causal language model, "
            "or train it with --set actor=extractive"
        )
