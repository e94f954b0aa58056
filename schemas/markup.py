"""HTML as the text that a browser shows: what is hidden is left out, blocks are apart, inline elements are not.

A library (turbohtml) cuts the text into tokens exactly as the HTML standard says, in linear time. No tree is built:
100,000 open tags take browsers' tree builders, and libraries that do as those do, a minute.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from schemas.elements import BREAKS, ENDS_P, HEAD, IMPLIED_ENDS, NEVER, RAW, VOID
from schemas.styles import Look, Sheet, is_block

# A text is HTML if it holds an end tag, a tag that needs no end, a tag with attributes, or begins with a tag. So
# "salary < 50k", "a<b", "List<String>", "<jobs@example.org>" and "knows <canvas>" are none.
_MARKUP: Final = re.compile(
    r"""</[a-z][\w:.-]{0,40}\s?>
    | <(?:br|p|li|hr|wbr|t[drh]|d[dt])(?:\s[^<>]{0,2000})?/?>
    | <[a-z][\w:.-]{0,40}\s[a-z_:][\w:.-]{0,60}\s?=[^<>]{0,2000}>
    | ^<(?:html|head|body|title|style|script|link|div|span|[abiu]|em|strong|font|center|[uo]l|table|h[1-6]|pre|section
        |article|main|header|blockquote|small|big)>
    | <!doctype\s | <!\[CDATA\[ | <!\[(?:end)?if""",
    re.IGNORECASE | re.VERBOSE,
)
_MAX_REGIONS: Final = 32


def is_markup(text: str) -> bool:
    """Whether a text is HTML and not plain text that holds a `<`."""
    return "<" in text and (_MARKUP.search(text) is not None or ("<!--" in text and "-->" in text))


def shown(text: str, limit: int) -> str:
    """Return what a browser shows of an HTML text, at least its first `limit` characters; takes any string.

    `<noscript>` is hidden, as where scripts run. `aria-hidden` changes nothing: it hides from readers aloud only.
    CDATA markers are dropped and what they hold stays, because feeds wrap their HTML so.
    """
    from turbohtml import TokenType, tokenize  # imported where a text is HTML: it takes 0.1 s

    start, end, data = TokenType.START_TAG, TokenType.END_TAG, TokenType.TEXT
    page = _Page()
    if "<![CDATA[" in text:
        text = text.replace("<![CDATA[", "").replace("]]>", "")
    for token in tokenize(text):
        kind = token.type
        if kind is data:
            page.text(token.data or "")
            if page.length > limit:
                break
        elif kind is start:
            page.start(token.tag or "", token.attrs or ())
        elif kind is end:
            page.end(token.tag or "")
    return " ".join("".join(page.parts).split())


class _Region:
    """An element that looks different from what is around it, and how many elements of each name are open in it."""

    __slots__ = ("ends_line", "look", "open", "root")

    def __init__(self, root: str, look: Look, *, ends_line: bool = False) -> None:
        self.root, self.look, self.ends_line = root, look, ends_line
        self.open: dict[str, int] = {}

    def ends_before(self, tag: str) -> bool:
        """Whether a start tag closes the region's element although its end tag is missing."""
        if self.root == "head":
            return tag not in HEAD and not any(map(self.open.get, NEVER))
        closers, barriers = IMPLIED_ENDS.get(self.root, (frozenset(), frozenset()))
        return tag in closers and not any(map(self.open.get, barriers))


class _Page:
    """What has been shown so far, and the regions that are open; every token costs the same, however deep it lies."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.length = 0
        self._regions = [_Region("", Look())]
        self._sheet = Sheet()
        self._raw = ""

    def text(self, data: str) -> None:
        """Show a run of text, unless it is hidden."""
        region = self._regions[-1]
        if self._raw:
            self._sheet.add(data if self._raw == "style" else "")
        elif region.look.shows:
            self.parts.append(data)
            self.length += len(data)
        elif region.root == "head" and not any(region.open.values()) and not data.isspace():
            self._regions.pop()
            self.text(data)

    def start(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        """Open an element: a block begins on a line of its own."""
        while len(self._regions) > 1 and self._regions[-1].ends_before(tag):
            self._regions.pop()
        region, block = self._regions[-1], tag in BREAKS
        self._raw = tag if tag in RAW else ""
        if block:
            self.parts.append(" ")
        if tag in VOID or self._raw:
            return
        if tag in ENDS_P:
            region.open["p"] = 0
        if (attrs or self._sheet or tag in NEVER or tag == "dialog") and len(self._regions) < _MAX_REGIONS:
            self._enter(tag, dict(attrs), region, block=block)
        else:
            region.open[tag] = region.open.get(tag, 0) + 1

    def _enter(self, tag: str, attrs: dict[str, str | None], around: _Region, *, block: bool) -> None:
        """Open an element that may look different: a region of its own if it does."""
        style = self._sheet.style_of(tag, attrs)
        look = around.look.inside(style, hidden=_is_hidden(tag, attrs))
        own_line = not block and is_block(style)
        if own_line:
            self.parts.append(" ")
        if look != around.look or own_line:
            self._regions.append(_Region(tag, look, ends_line=own_line))
        else:
            around.open[tag] = around.open.get(tag, 0) + 1

    def end(self, tag: str) -> None:
        """Close the innermost open element of that name, and all that were opened in it."""
        self._raw = ""
        if tag in BREAKS:
            self.parts.append(" ")
        innermost = self._regions[-1].open
        if count := innermost.get(tag):
            innermost[tag] = count - 1
        else:
            self._leave(tag)

    def _leave(self, tag: str) -> None:
        """Close the regions that an end tag ends: its own, and those within an outer element of that name."""
        for depth in range(len(self._regions) - 1, -1, -1):
            region = self._regions[depth]
            if region.open.get(tag):
                region.open[tag] -= 1
                del self._regions[depth + 1 :]
                return
            if region.root == tag:
                self.parts.append(" " if region.ends_line else "")
                del self._regions[depth:]
                return


def _is_hidden(tag: str, attrs: Mapping[str, str | None]) -> bool:
    return tag in NEVER or "hidden" in attrs or (tag == "dialog" and "open" not in attrs)
