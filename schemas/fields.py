"""Normal forms of a posting's fields: text without broken characters, remote, employment type, salary.

Each takes a decoded JSON value and the field's name, and raises EventError with that name.
"""

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from reprlib import Repr
from typing import Any

from schemas.errors import EventError

_HYBRID = re.compile(r"\b(hybrid|optional|flexible|part(ly|ially)?)\b")
_ON_SITE = re.compile(r"\b(no|not|non|false|never|on.?site|in.?(office|person)|office)\b")
_REMOTE = re.compile(
    r"\b(remote(ly)?|yes|true|fully|telecommut\w*|telework\w*|wfh|work from home|anywhere)\b"
)

#: Canonical employment types and what they are called; in the order in which they are listed.
_EMPLOYMENT = {
    "full-time": re.compile(r"\bfull[\s_-]?time\b"),
    "part-time": re.compile(r"\bpart[\s_-]?time\b"),
    "contract": re.compile(r"\b(contract(or|ing)?|freelance\w*)\b"),
    "temporary": re.compile(r"\b(temp|temporary|fixed[\s_-]term|seasonal)\b"),
    "internship": re.compile(r"\b(intern|internship)s?\b"),
    "apprenticeship": re.compile(r"\bapprentice(ship)?s?\b"),
    "volunteer": re.compile(r"\b(volunteer(ing)?|voluntary)\b"),
    "permanent": re.compile(r"\bpermanent\b"),
}

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
    return _clean(value if isinstance(value, str) else str(value))


def _clean(string: str) -> str:
    if string.isascii():
        return string
    try:
        string.encode()
    except UnicodeEncodeError:
        return re.sub("[\ud800-\udfff]", "\ufffd", string)
    return string


def label(value: Any, name: str, nested: int = 0) -> str | None:
    """A short text on one line, None if it is blank; a list of texts is joined with commas."""
    if isinstance(value, list):
        if nested == _MOST_NESTED:
            raise EventError(f"{name} holds lists in lists, more than {_MOST_NESTED} deep")
        parts = [part for entry in value if (part := label(entry, name, nested + 1))]
        return ", ".join(parts) or None
    string = text(value, name)
    return (" ".join(string.split()) or None) if string else None


def remote(value: Any, name: str) -> str | None:
    """`remote`, `hybrid` or `onsite` from a truth value or words; None where it cannot be told."""
    if isinstance(value, bool):
        return "remote" if value else "onsite"
    words = label(value, name)
    return _remote_of(words) if words else None


def employment_type(value: Any, name: str) -> str | None:
    """The types named, such as `full-time` or `full-time/contract`; words that name none stay, in lower case."""
    words = label(value, name)
    return _types_of(words) if words else None


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


def _remark(key: str, value: Any, name: str) -> str | None:
    """What an entry of a salary says beside its amount: `gs_level 15`; of true the key alone, of false nothing."""
    said = " ".join(_clean(key).split())
    if isinstance(value, bool):
        return said if value else None
    words = label(value, f"{name}.{said[:_MOST_KEY]}")
    return f"{said} {words}" if words else None


# cached, because a catalog repeats a few values in all its postings
@lru_cache(maxsize=4096)
def _remote_of(said: str) -> str | None:
    words = said.casefold().replace("_", " ")
    for answer, pattern in (("hybrid", _HYBRID), ("onsite", _ON_SITE), ("remote", _REMOTE)):
        if pattern.search(words):
            return answer
    return None


@lru_cache(maxsize=4096)
def _types_of(said: str) -> str:
    words = said.casefold().replace("_", "-")
    known = [kind for kind, pattern in _EMPLOYMENT.items() if pattern.search(words)]
    return "/".join(known) or words


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
