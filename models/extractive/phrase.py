"""A phrase: a span of a text, which an extractive summary takes whole or leaves out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phrase:
    """Characters `start` to `end` of a text."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """Return the phrase's own words, as they stand in the text."""
        return text[self.start : self.end]
