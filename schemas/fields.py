"""Normal forms of a posting's fields: text without broken characters, remote, employment type, salary.

Each takes a decoded JSON value and the field's name, and raises EventError with that name.
"""

import re
from functools import lru_cache
from typing import Any

from schemas.errors import EventError
from schemas.plain import plain

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


def text(value: Any, name: str) -> str | None:
    """A text as it is, numbers as digits, None for null; unpaired surrogates become U+FFFD."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise EventError(f"{name} must be text or null, not {_kind(value)}")
    string = value if isinstance(value, str) else str(value)
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
        parts = [part for entry in value if (part := label(entry, name))]
        return ", ".join(parts) or None
    string = text(value, name)
    return (plain(string) or None) if string else None


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
    fields = {key: part for key, raw in value.items() if (part := label(raw, f"{name}.{key}"))}
    if "text" in fields:
        return fields["text"]
    amount = _range(fields.pop("min", None), fields.pop("max", None))
    currency, unit = fields.pop("currency", None), fields.pop("unit", None)
    if amount:
        amount += (f" {currency}" if currency else "") + (f" per {unit.lower()}" if unit else "")
    return ", ".join([amount] * bool(amount) + [f"{key} {part}" for key, part in fields.items()]) or None


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
    names = {bool: "true or false", dict: "an object", list: "a list", int: "a number", float: "a number"}
    return names.get(type(value), "text")
