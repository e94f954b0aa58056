"""The text that the rules read: folded letter by letter, so that each finding is known by its place in the text."""

import re
from collections.abc import Iterable, Iterator, Sequence

from schemas.characters import fold

Span = tuple[int, int]

#: What stands for words that an earlier rule has taken: no rule's words reach across it.
TAKEN = "\u0001"
_DASHES = frozenset("-_\u2010\u2011\u2012\u2013\u2014\u2015\u2212")
_EDGES = re.compile(
    r"^(?:[\s,;:/|&+\-\u2013\u2014.!?)]|\b(?:and|or|but|with|in|at|for|und|oder|mit|et|ou|avec|y|con)\b)+|"
    r"(?:[\s,;:/|&+\-\u2013\u2014.!?(]|\b(?:and|or|but|with|in|near|around|at|for|und|oder|mit|et|ou|avec|y|con|a|an|the|is|be|must)\b)+$",
    re.IGNORECASE,
)
_GAPS = re.compile(r"\(\s*\)|\[\s*\]")


class Reading:
    """A text in plain letters, and which of its characters the rules have taken so far."""

    def __init__(self, text: str) -> None:
        self.text = text
        letters = [(letter, at) for at, one in enumerate(text) for letter in _letters(text, at, one)]
        self.plain = "".join(letter for letter, _ in letters)
        self._at = [at for _, at in letters] + [len(text)]

    def find(self, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """The places where a pattern stands in words that no rule has taken yet."""
        return pattern.finditer(self.plain)

    def take(self, start: int, end: int) -> Span:
        """Take the plain characters from `start` to `end`; returns their place in the text, without outer spaces."""
        said = self.plain[start:end]
        first = start + len(said) - len(said.lstrip(" ,"))
        last = start + len(said.rstrip(" ,"))
        self.plain = self.plain[:first] + TAKEN * (last - first) + self.plain[last:]
        return self._at[first], (self._at[last - 1] + 1 if last > first else self._at[first])

    def written(self, start: int, end: int) -> str:
        """What the text says from one plain place to another."""
        return self.text[self._at[start] : self._at[end - 1] + 1] if end > start else ""


def joined(text: str, spans: Sequence[Span]) -> str:
    """The text without these spans, and without the words that only led to them."""
    pieces = [_piece(text[start:end]) for start, end in _between(sorted(spans), len(text))]
    return ", ".join(piece for piece in pieces if piece)


def _between(spans: Iterable[Span], size: int) -> Iterator[Span]:
    at = 0
    for start, end in spans:
        yield at, start
        at = max(at, end)
    yield at, size


def _piece(text: str) -> str:
    return _GAPS.sub(" ", _EDGES.sub("", text.strip())).strip()


def _letters(text: str, at: int, letter: str) -> str:
    if letter in _DASHES:
        before, behind = text[at - 1 : at], text[at + 1 : at + 2]
        if not before.isalnum():
            return ","
        if behind.isspace():
            return ""
        return "-" if before.isdigit() and behind.isalnum() else " "
    return fold(letter) or " "
