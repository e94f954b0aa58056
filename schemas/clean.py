"""The one function that cleans a text before it is hashed, summarized, scored or compared: `clean`.

Feeds send HTML, HTML that was escaped once or twice, and characters that nobody sees. Stream, backfill, training and
explanations all read a posting's text through here, so that the same words get the same hash and the same score.
"""

import html
import re
from html.entities import html5
from typing import Final

from schemas.characters import seen
from schemas.markup import is_markup, shown

TEXT_RULES: Final = 1
"""Number of these rules: raise it with every change of what `clean` returns, and stored records are cleaned anew."""

MAX_ROUNDS: Final = 8
"""How often a text is taken for escaped HTML; what still holds markup then is hostile and loses `<` and `&`."""

_REFERENCE: Final = re.compile(
    r"&(?:#[0-9]{1,12};?|#x[0-9a-f]{1,12};?|[a-z][a-z0-9]{1,31}(?:;|(?![a-z0-9=])))", re.IGNORECASE
)
_ESCAPED_AMPERSANDS: Final = re.compile(r"&(?:amp;|#0{0,9}38;|#[xX]0{0,9}26;)+")
_BOUNDARY_CHARS: Final = 64
"""How far before its limit a cut looks for a space; text without spaces is cut at the limit."""


def clean(text: str, limit: int | None = None) -> str:
    """Return the words of a text as a reader sees them, with one space between any two, cut at a word's end.

    HTML becomes what a browser shows, also where it was escaped; a text that is not HTML keeps its `<`. Idempotent,
    never longer than `limit`, takes any string, in time proportional to the text's length.
    """
    words = _squeezed(text, limit)
    for _ in range(MAX_ROUNDS):
        before = words
        if is_markup(words):
            words = _squeezed(shown(words, len(words) if limit is None else 4 * limit), None)
        elif "&" in words:
            words = _squeezed(_REFERENCE.sub(_character, _ESCAPED_AMPERSANDS.sub("&amp;", words)), limit)
        if words == before:
            break
    else:
        words = _squeezed(words.replace("<", " ").replace("&", " "), limit)
    return words if limit is None or len(words) <= limit else clean(_cut(words, limit))


def _squeezed(text: str, limit: int | None) -> str:
    """The text's visible characters, white space collapsed."""
    if limit is not None and "<" not in text and "&" not in text:
        # four times the limit leaves room for runs of white space and keeps a text of 1 MB cheap
        text = text[: 4 * limit]
    words = " ".join(text.split())
    return words if words.isascii() and words.isprintable() else " ".join(seen(words).split())


def _cut(words: str, limit: int) -> str:
    space = words.rfind(" ", max(0, limit - _BOUNDARY_CHARS), limit + 1)
    return words[: space if space > 0 else limit]


def _character(found: re.Match[str]) -> str:
    """What a character reference stands for; one without a semicolon only if browsers know it in lower case."""
    reference = found.group()
    name = reference[1:]
    known = name[0] == "#" or (name in html5 and (name[-1] == ";" or name.islower()))
    return html.unescape(reference) if known else reference
