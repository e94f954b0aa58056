"""Whether a posting is written in English, told by its commonest words: a guess for counting, not for filtering."""

from __future__ import annotations

import re

from models.prompts import Item

_WORD = re.compile(r"[^\W\d_]+")
_COMMON = frozenset(
    [
        "the",
        "and",
        "of",
        "to",
        "in",
        "a",
        "is",
        "for",
        "you",
        "with",
        "we",
        "our",
        "are",
        "will",
        "be",
        "on",
        "your",
        "or",
        "as",
        "at",
        "have",
        "that",
        "this",
        "not",
        "by",
        "an",
        "from",
    ]
)
LEAST_WORDS = 20
"""A shorter text tells nothing; it counts as English."""
LEAST_SHARE = 0.12
"""Share of common words from which a text is English: lists of keywords have about .15, prose .3, others below .05."""


def is_english(item: Item) -> bool:
    """Whether common English words make up their usual share of the posting's text, or the text is short."""
    words = _WORD.findall(item.text.lower())
    return len(words) < LEAST_WORDS or sum(word in _COMMON for word in words) >= LEAST_SHARE * len(words)
