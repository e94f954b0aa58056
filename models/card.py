"""The card of a checkpoint directory (nearline.json): the model's name, and how it is asked and computed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from schemas.errors import ConfigError

CARD = "nearline.json"
EXTRACTIVE = "extractive"
"""Kind of a summarizer that chooses phrases; one without a kind writes token by token."""


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
    return said


def is_extractive(directory: Path) -> bool:
    """Whether the directory holds a summarizer that chooses phrases; ConfigError for a kind that is unknown."""
    kind = read_card(directory).get("kind")
    if kind not in (None, EXTRACTIVE):
        raise ConfigError(
            f"{directory / CARD}: kind {kind!r:.40} is unknown: leave it out or say {EXTRACTIVE!r}"
        )
    return kind == EXTRACTIVE
