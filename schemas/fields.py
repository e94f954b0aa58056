"""Normal forms of a posting's fields: text without broken characters, remote, employment type, salary.

Each takes a decoded JSON value and the field's name, and raises EventError with that name.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from reprlib import Repr
from typing import Any

from schemas.clean import clean
from schemas.employment import employment_kinds
from schemas.errors import EventError
from schemas.remote_work import remote_forms
from schemas.vocabulary import no_answer

#: Lists inside lists that a label may have; each is one list of texts for whoever reads it.
_MOST_NESTED = 8
_MOST_KEY = 40
_repr = Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = 80


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for a value that a file holds and its reader cannot give, such as a date in the year 70000.

    Every field that is read refuses it with this reason; in a field that is ignored it costs nothing.
    """

    reason: str


def short(value: Any) -> str:
    """The beginning of a value for a message, whatever its size and however deep it is nested."""
    return value.reason if isinstance(value, Unreadable) else _repr.repr(value)


def is_absent(value: Any) -> bool:
    """Whether a value says nothing: null, or the NaN or infinity that programs write for null."""
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def text(value: Any, name: str) -> str | None:
    """A text as it is, numbers as digits, None for null and NaN; unpaired surrogates become U+FFFD."""
    if is_absent(value):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise EventError(f"{name} must be text or null, not {_kind(value)}")
    return _sound(value if isinstance(value, str) else str(value))


def _sound(string: str) -> str:
    if string.isascii():
        return string
    try:
        string.encode()
    except UnicodeEncodeError:
        return re.sub("[\ud800-\udfff]", "\ufffd", string)
    return string


def label(value: Any, name: str) -> str | None:
    """A short text as a reader sees it, on one line; None if blank. A list of texts is joined with commas."""
    if isinstance(value, list):
        return _joined(value, name, ", ")
    string = text(value, name)
    return (clean(string) or None) if string else None


def places(value: Any, name: str) -> str | None:
    """Places on one line; a list of them is joined with semicolons, because a place may hold commas."""
    return _joined(value, name, "; ")


def remote(value: Any, name: str) -> str | None:
    """`remote`, `hybrid`, `onsite` or several of them ("remote/onsite"); None where it cannot be told."""
    words = _joined(value, name, " / ", _in_words)
    return "/".join(remote_forms(words)) or None if words else None


def employment_type(value: Any, name: str) -> str | None:
    """The types named, such as `full-time` or `full-time/contract`; words that name none stay, in lower case."""
    words = _joined(value, name, "; ")
    if words is None or no_answer(words):
        return None
    return "/".join(employment_kinds(words)) or words.casefold().replace("_", "-")


def wanted(value: Any) -> Any:
    """A filter of a search as it is, or None where it, or an entry of a list of them, means no preference."""
    entries = value if isinstance(value, list) else [value]
    free = any(isinstance(entry, str) and entry.strip() and no_answer(entry) for entry in entries)
    return None if free else value


def remote_wanted(value: Any, name: str) -> bool | None:
    """True for a search for remote work, False for one on site; None for any, and for hybrid or several forms."""
    forms = remote(wanted(value), name)
    return {"remote": True, "onsite": False}.get(forms or "")


def salary(value: Any, name: str) -> str | None:
    """A salary as text; of an object its `text`, else `min-max currency per unit` and whatever else it says."""
    if not isinstance(value, dict):
        return label(value, name)
    known = {
        key: label(value.get(key), f"{name}.{key}") for key in ("text", "min", "max", "currency", "unit")
    }
    more = [said for key, raw in value.items() if key not in known and (said := _remark(key, raw, name))]
    if known["text"]:
        return known["text"]
    amount, currency, unit = _range(known["min"], known["max"]), known["currency"], known["unit"]
    if amount:
        amount += (f" {currency}" if currency else "") + (f" per {unit.lower()}" if unit else "")
    return ", ".join([amount] * bool(amount) + more) or None


def phrases(value: Any, name: str) -> tuple[str, ...]:
    """A list of short texts, or one such text, each once and as a reader sees it; blank ones are left out."""
    entries = value if isinstance(value, list) else [value]
    return tuple(dict.fromkeys([phrase for entry in entries if (phrase := label(entry, name))]))


def _remark(key: str, value: Any, name: str) -> str | None:
    """What an entry of a salary says beside its amount: `gs_level 15`; of true the key alone, of false nothing."""
    said = clean(key)
    if isinstance(value, bool):
        return said if value else None
    words = label(value, f"{name}.{said[:_MOST_KEY]}")
    return f"{said} {words}" if words else None


def _in_words(value: Any) -> Any:
    """A truth value as the word that it stands for; anything else as it is."""
    return ("remote" if value else "onsite") if isinstance(value, bool) else value


def _as_it_is(value: Any) -> Any:
    return value


def _joined(
    value: Any, name: str, separator: str, read: Callable[[Any], Any] = _as_it_is, nested: int = 0
) -> str | None:
    """A label; of a list, also of lists in it, the labels of its entries, joined with `separator`."""
    if not isinstance(value, list):
        return label(read(value), name)
    if nested == _MOST_NESTED:
        raise EventError(f"{name} holds lists in lists, more than {_MOST_NESTED} deep")
    parts = [part for entry in value if (part := _joined(entry, name, separator, read, nested + 1))]
    return separator.join(parts) or None


def _range(low: str | None, high: str | None) -> str:
    if low is None:
        return f"up to {high}" if high else ""
    if high is None:
        return f"from {low}"
    return low if low == high else f"{low}-{high}"


def _kind(value: Any) -> str:
    if isinstance(value, Unreadable):
        return value.reason
    names = {dict: "an object", list: "a list", int: "a number", float: "a number", bytes: "bytes"}
    return "true or false" if isinstance(value, bool) else names.get(type(value), type(value).__name__)
