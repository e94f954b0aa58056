"""Text from outside (postings, dead letters, paths, answers of servers) as a terminal may show it.

rich reads square brackets as markup, and a terminal obeys control characters, so that neither may pass as it is.
"""

import re
from collections.abc import Sequence

from rich.text import Text

OPEN_MARK, CLOSE_MARK = "⟦", "⟧"
#: All control characters but tab and newline, the marks that turn the direction of text, and lone surrogates.
_UNSHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
#: What rich takes for a tag, or a bracket alone; each with the backslashes before it.
_BRACKET = re.compile(r"(\\*)(\[[a-z#/@][^[]*?\]|\[)")


def visible(text: str) -> str:
    """The text with a picture instead of each control character (␛ for an escape)."""
    return _UNSHOWN.sub(_picture, text)


def markup(text: str) -> str:
    """The text for a place inside rich's markup; backslashes at its end are doubled, since a tag may follow.

    rich's own `escape` leaves a backslash before a bracket that begins no tag, and rich then drops it.
    """
    escaped = _BRACKET.sub(_literal, visible(text))
    backslashes = len(escaped) - len(escaped.rstrip("\\"))
    return escaped + "\\" * backslashes


def marked(text: str, kept: Sequence[tuple[int, int]], *, bracketed: bool) -> Text:
    """The text with its kept spans in colour, and in brackets where colours are not shown."""
    shown, at = Text(), 0
    for start, end in kept:
        shown.append(visible(text[at:start]))
        part = visible(text[start:end])
        shown.append(f"{OPEN_MARK}{part}{CLOSE_MARK}" if bracketed else part, style="bold green")
        at = end
    shown.append(visible(text[at:]))
    return shown


def cell(text: str) -> Text:
    """The text for a cell of a table."""
    return Text(visible(text))


def _picture(found: re.Match[str]) -> str:
    code = ord(found[0])
    return "\u2421" if code == 0x7F else chr(0x2400 + code) if code < 0x20 else "\ufffd"


def _literal(found: re.Match[str]) -> str:
    """A bracket as rich shows it literally: it halves the backslashes before a tag, and drops one before a bracket."""
    backslashes, bracket = found.groups()
    if bracket == "[":
        return f"{backslashes}\\[" if backslashes else "["
    return f"{backslashes * 2}\\{bracket}"
