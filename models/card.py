"""The card of a checkpoint directory (nearline.json): the model's name, and how it is asked and computed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from schemas.errors import ConfigError

CARD = "nearline.json"
EXTRACTIVE = "extractive"
"""Kind of a summarizer that chooses phrases; one without a kind writes token by token."""
EMBEDDING = "embedding"
"""Kind of an embedder, which makes vectors of texts."""


def read_card(directory: Path) -> dict[str, Any]:
    """Return what the card says, {} for a directory without one; ConfigError for a card that is no JSON object."""
    path = directory / CARD
    if not path.is_file():
        return {}
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not readable as JSON: {error}") from error
    if not isinstance(card, dict):
        raise ConfigError(f"{path} must hold an object such as {{'name': 'summarizer@2'}}")
    return card


def prompt_tokens(directory: Path) -> int | None:
    """Most tokens of the prompts that the model was taught on, None where its card does not say.

    ConfigError for what is no positive number.
    """
    said = read_card(directory).get("prompt_tokens")
    if said is not None and (type(said) is not int or said < 1):
        raise ConfigError(f"{directory / CARD}: prompt_tokens must be a number of tokens, not {said!r:.40}")
    return None if said is None else int(said)


def is_extractive(directory: Path) -> bool:
    """Whether the directory holds a summarizer that chooses phrases; ConfigError for a kind that is unknown."""
    return _kind(directory) == EXTRACTIVE


def is_embedding(directory: Path) -> bool:
    """Whether the directory holds an embedder; ConfigError for a kind that is unknown."""
    return _kind(directory) == EMBEDDING


def _kind(directory: Path) -> str | None:
    kind = read_card(directory).get("kind")
    if kind not in (None, EXTRACTIVE, EMBEDDING):
        raise ConfigError(
            f"{directory / CARD}: kind {kind!r:.40} is unknown: leave it out, or say {EXTRACTIVE!r} or {EMBEDDING!r}"
        )
    return None if kind is None else str(kind)
