"""Logits for a text in a language that the model does not know: its leading phrases that say something."""

from __future__ import annotations

from collections.abc import Sequence

from models.extractive.reading import Reading
from models.extractive.selection import words_of

UNKNOWN_SHARE = 0.5
"""From this share of unknown and part-word tokens on, a text's language counts as one that the model does not know."""
TELLING_CHARS = 12
"""Characters of the different longer words of a phrase that says something."""
LONG_WORD = 4
_SHORT_COST = 1000.0


def logits_in_use(reading: Reading, learned: Sequence[float]) -> list[float]:
    """Return the logits by which a text's phrases are chosen: the learned ones, or in an unknown language by place.

    There phrases that hold little but short words come last.
    """
    if reading.unknown < UNKNOWN_SHARE:
        return list(learned)
    return [
        -float(at) if _tells(phrase.of(reading.text)) else -float(at) - _SHORT_COST
        for at, phrase in enumerate(reading.phrases)
    ]


def _tells(phrase: str) -> bool:
    words = words_of(phrase)
    spaceless = sum(1 for word in words if len(word) == 1 and not word.isascii())
    return sum(len(word) for word in words if len(word) >= LONG_WORD) + 2 * spaceless >= TELLING_CHARS
