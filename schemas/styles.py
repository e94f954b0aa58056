"""The parts of CSS that decide whether a text is seen: inline styles, and rules for one class, id or tag."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

_SELECTOR: Final = re.compile(r"[a-z][\w:-]*|(?:[a-z][\w:-]*)?[.#][\w-]+", re.IGNORECASE)
_ZERO: Final = re.compile(r"[+-]?0*\.?0*(?:[a-z]+|%)?")
_RELATIVE: Final = re.compile(r"[\d.]*(?:em|%|ex|ch)|inherit|unset|smaller|larger")
_FAR: Final = re.compile(r"-\d{3,}(?:\.\d*)?(?:px|em|rem|pt|vw|vh|%)?")
_BLOCKS: Final = ("block", "flex", "grid", "list-item", "table", "flow-root")


@dataclass(frozen=True, slots=True)
class Look:
    """How an element is drawn: `gone` with all that is in it; `invisible` and `tiny` unless an inner one differs."""

    gone: bool = False
    invisible: bool = False
    tiny: bool = False

    @property
    def shows(self) -> bool:
        """Whether text that stands here is seen."""
        return not (self.gone or self.invisible or self.tiny)

    def inside(self, style: str, *, hidden: bool) -> "Look":
        """The look of an element with this style in one of this look; `hidden`: by its name or attribute."""
        if self.gone:
            return self
        if not style:
            return replace(self, gone=True) if hidden else self
        found = _declarations(style)
        display = found.get("display", "")
        return Look(
            gone=display == "none" or (hidden and not display) or _takes_no_room(found),
            invisible=_invisible(found, default=self.invisible),
            tiny=_tiny(found, default=self.tiny),
        )


def is_block(style: str) -> bool:
    """Whether a style puts an inline element on lines of its own."""
    return "display" in style and _declarations(style).get("display", "").startswith(_BLOCKS)


class Sheet:
    """The rules of a page's style elements that select one class, id or tag; others need a layout and are not read."""

    def __init__(self) -> None:
        self._rules: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._rules)

    def add(self, text: str) -> None:
        """Read a style element's text; what stands in an at-rule, such as one for print, is left out."""
        depth = 0
        for chunk in _without_comments(text).split("}"):
            *outer, selectors, body = ["", *chunk.split("{")]
            if "{" not in chunk:
                depth = max(0, depth - 1)
                continue
            depth += len(outer) - 1
            if not depth and _matters(body):
                self._put(selectors, body)

    def style_of(self, tag: str, attrs: Mapping[str, str | None]) -> str:
        """The declarations that hold for an element, its own last."""
        own = attrs.get("style") or ""
        if not self._rules:
            return own
        names = [f".{name}" for name in (attrs.get("class") or "").split()[:32]]
        names += [f"#{attrs['id']}"] if attrs.get("id") else []
        keys = [tag, *(key for name in names for key in (name, tag + name))]
        return ";".join([*(rule for key in keys if (rule := self._rules.get(key))), own])

    def _put(self, selectors: str, body: str) -> None:
        for selector in selectors.split(","):
            if _SELECTOR.fullmatch(name := selector.strip()):
                self._rules[name] = body


def _matters(body: str) -> bool:
    words = body.casefold()
    return any(
        name in words for name in ("display", "visibility", "font-size", "opacity", "position", "indent")
    )


def _without_comments(text: str) -> str:
    first, *rest = text.replace("<!--", "").replace("-->", "").split("/*")
    return first + "".join(part.partition("*/")[2] for part in rest)


@lru_cache(maxsize=1_024)
def _declarations(style: str) -> dict[str, str]:
    pairs = (part.partition(":") for part in style.casefold().split(";"))
    return {name.strip(): value.partition("!")[0].strip() for name, _, value in pairs}


def _zero(value: str) -> bool:
    return "0" in value and _ZERO.fullmatch(value) is not None


def _takes_no_room(found: Mapping[str, str]) -> bool:
    """Whether an element is transparent, cut to nothing, or drawn beyond the window's edge."""
    if _zero(found.get("opacity", "")) or _FAR.fullmatch(found.get("text-indent", "")):
        return True
    if found.get("position") in {"absolute", "fixed"}:
        if found.get("clip", "").startswith("rect(0") or found.get("clip-path", "").startswith("inset(50%"):
            return True
        if any(_FAR.fullmatch(found.get(side, "")) for side in ("left", "top", "right", "bottom")):
            return True
    sizes = ("height", "max-height", "width", "max-width")
    return found.get("overflow") in {"hidden", "clip"} and any(_zero(found.get(size, "")) for size in sizes)


def _invisible(found: Mapping[str, str], *, default: bool) -> bool:
    value = found.get("visibility")
    return value in {"hidden", "collapse"} if value in {"hidden", "collapse", "visible"} else default


def _tiny(found: Mapping[str, str], *, default: bool) -> bool:
    value = found.get("font-size") or found.get("font", "").partition("/")[0]
    if not value:
        return default
    return _zero(value) or value == "1px" or (default and bool(_RELATIVE.fullmatch(value)))
