"""The queries by which a summary is compared with its text: what the posting is, words of it, and another posting."""

from __future__ import annotations

import re

from schemas.clean import clean
from schemas.keys import text_hash

TITLE_WORDS = 6
"""Most words of a title that are searched for."""
TEXT_WORDS = 2
"""Words of the text that are searched for."""
LEAST_CHARS = 5
"""A shorter word says little."""
NO_TITLE = "work"
_WORD = re.compile(rf"[^\W\d_]{{{LEAST_CHARS},}}")


def queries(posting_id: str, title: str, text: str, other: str) -> tuple[str, ...]:
    """Return a posting's queries: its title, words of its text, title and a word, the title of `other` posting.

    The words are drawn by their hashes with the posting's id, so that a posting always has the same. A text without
    words has none but the titles.
    """
    own = short(title)
    words = sorted(
        {word.lower() for word in _WORD.findall(clean(text))},
        key=lambda word: text_hash(f"{posting_id}\0{word}"),
    )[:TEXT_WORDS]
    of_text = (" ".join(words), f"{own} {words[0]}") if words else ()
    return (own, *of_text, short(other))


def short(title: str) -> str:
    """Return a title as a query."""
    return " ".join(clean(title).lower().split()[:TITLE_WORDS]) or NO_TITLE
