"""Clauses of a posting's text: sentences, list items and parts of long sentences, as spans of characters."""

from __future__ import annotations

import re
from collections.abc import Iterator

MOST_WORDS = 28
"""A longer clause is cut, at a comma where there is one."""
FEWEST_WORDS = 2
_ENDS = re.compile(r"(?<=[.!?;])\s+|\s*[\r\n•·●▪|]+\s*|\s+[-–—*]\s+")
_WORD = re.compile(r"\S+")


def clauses(text: str) -> list[tuple[int, int]]:
    """Spans [begin, end) of the clauses of FEWEST_WORDS words or more, in order."""
    found: list[tuple[int, int]] = []
    begin = 0
    for stop in [*_ENDS.finditer(text), None]:
        found += _cut(text, begin, stop.start() if stop else len(text))
        begin = stop.end() if stop else len(text)
    return found


def _cut(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Parts of at most MOST_WORDS words of the stretch [begin, end)."""
    words = [match.span() for match in _WORD.finditer(text, begin, end)]
    while words:
        length = len(words) if len(words) <= MOST_WORDS else _comma(text, words)
        if length >= FEWEST_WORDS:
            yield words[0][0], words[length - 1][1]
        words = words[length:]


def _comma(text: str, words: list[tuple[int, int]]) -> int:
    """The number of words up to the last comma within MOST_WORDS, past their middle; MOST_WORDS without one."""
    places = [n for n in range(MOST_WORDS // 2, MOST_WORDS) if text[words[n][1] - 1] == ","]
    return places[-1] + 1 if places else MOST_WORDS
