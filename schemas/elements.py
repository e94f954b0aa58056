"""The HTML elements that decide what a browser shows and where its lines break, by the HTML standard."""

from typing import Final


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


VOID: Final = _names(
    "area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr"
)
"""Elements that have no end."""
RAW: Final = _names("iframe noembed noframes noscript script style title")
"""Elements that hold text without tags, which no browser shows."""
NEVER: Final = _names("annotation audio canvas datalist desc defs head metadata rp select template video xml")
"""Elements that no browser shows, or whose content it shows only where it cannot do better."""
HEAD: Final = _names("base link meta noscript script style template title")
"""Elements that may stand in a page's head; any other one ends it."""
ENDS_P: Final = _names(
    """address article aside blockquote center details dialog dd div dl dt fieldset figcaption figure footer form h1 h2
    h3 h4 h5 h6 header hr li main menu nav ol p pre section table ul"""
)
"""Elements whose start ends an open paragraph."""
BREAKS: Final = ENDS_P | _names(
    """audio body br button canvas caption col dir embed frame head html iframe img input legend marquee object optgroup
    option select summary tbody td textarea tfoot th thead tr video"""
)
"""Elements that break a line, or stand apart from the words around them; all others do not, unknown ones too."""
_TABLE: Final = _names("table")
_ROWS: Final = _names("tr tbody thead tfoot caption")

IMPLIED_ENDS: Final = {
    "p": (ENDS_P, _names("button object table")),
    "li": (_names("li"), _names("ul ol menu")),
    "dt": (_names("dt dd"), _names("dl")),
    "dd": (_names("dt dd"), _names("dl")),
    "td": (_ROWS | _names("td th"), _TABLE),
    "th": (_ROWS | _names("td th"), _TABLE),
    "tr": (_ROWS, _TABLE),
    "option": (_names("option optgroup"), _names("")),
}
"""Elements that need no end tag: which start tags end them, unless one of the second set is open within."""
