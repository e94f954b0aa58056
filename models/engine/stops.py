"""Which part of a growing continuation is final, so that it may be sent before the rest is known."""

from __future__ import annotations

from collections.abc import Sequence

UNFINISHED = "\ufffd"
"""What a tokenizer decodes the first bytes of a character to, until the token with the last of them has come."""


def settled(text: str, stops: Sequence[str]) -> str:
    """Return `text` less an unfinished character, and less an end that may yet become a stop string."""
    text = text.rstrip(UNFINISHED)
    return text[: min((len(text) - _begun(text, stop) for stop in stops), default=None)]


def _begun(text: str, stop: str) -> int:
    """Return how many characters of `stop` the text ends with."""
    lengths = range(min(len(stop) - 1, len(text)), 0, -1)
    return next((length for length in lengths if text.endswith(stop[:length])), 0)
