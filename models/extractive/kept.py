"""Find the phrases of an extractive summary in its text again, from the two texts alone."""

from __future__ import annotations

import re
import unicodedata

from models.extractive.phrase import Phrase
from models.extractive.selection import SEPARATOR

_SPACELESS = re.compile(r"[\u3005-\u3007\u3040-\u30ff\u3400-\u9fff]")


def kept(text: str, summary: str) -> tuple[Phrase, ...] | None:
    """Return the spans of the text that a summary consists of, in their order; None if it has other words too.

    Of several places where a phrase stands, the first after the phrase before it that begins and ends between words.
    An empty summary has no spans.
    """
    found, at = list[Phrase](), 0
    for part in summary.split(SEPARATOR) if summary else ():
        phrase = _place(text, part, at)
        if phrase is None:
            return None
        found.append(phrase)
        at = phrase.end
    return tuple(found)


def is_whole(text: str, phrase: Phrase) -> bool:
    """Whether a phrase begins and ends between words; in scripts without spaces between any characters."""
    return not any(
        0 < at < len(text) and _is_inside(text[at - 1]) and _is_inside(text[at])
        for at in (phrase.start, phrase.end)
    )


def _place(text: str, part: str, begin: int) -> Phrase | None:
    first = at = text.find(part, begin)
    while at >= 0:
        if is_whole(text, phrase := Phrase(at, at + len(part))):
            return phrase
        at = text.find(part, at + 1)
    return Phrase(first, first + len(part)) if first >= 0 else None


def _is_inside(char: str) -> bool:
    return (char.isalnum() or unicodedata.combining(char) > 0) and not _SPACELESS.match(char)
