"""Normal forms of a posting's fields: text without broken characters, remote, employment type, salary.

Each takes a decoded JSON value and the field's name, and raises EventError with that name.
"""

import re
from typing import Any

from schemas.employment import employment_kinds
from schemas.errors import EventError
from schemas.plain import no_answer
from schemas.remote_work import remote_forms


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
    """A short text on one line, None if it is blank; a list of texts is joined with commas."""
    if isinstance(value, list):
        parts = [part for entry in value if (part := label(entry, name))]
        return ", ".join(parts) or None
    string = text(value, name)
    return (" ".join(string.split()) or None) if string else None


def places(value: Any, name: str) -> str | None:
    """Places on one line; a list of them is joined with semicolons, because a place may hold commas."""
    return _listed(value, name, "; ")


def remote(value: Any, name: str) -> str | None:
    """`remote`, `hybrid`, `onsite` or several of them ("remote/onsite"); None where it cannot be told."""
    words = _listed(_in_words(value), name, " / ")
    return "/".join(remote_forms(words)) or None if words else None


def employment_type(value: Any, name: str) -> str | None:
    """The types named, such as `full-time` or `full-time/contract`; words that name none stay, in lower case."""
    words = _listed(value, name, "; ")
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
    fields = {key: part for key, raw in value.items() if (part := label(raw, f"{name}.{key}"))}
    if "text" in fields:
        return fields["text"]
    amount = _range(fields.pop("min", None), fields.pop("max", None))
    currency, unit = fields.pop("currency", None), fields.pop("unit", None)
    if amount:
        amount += (f" {currency}" if currency else "") + (f" per {unit.lower()}" if unit else "")
    return ", ".join([amount] * bool(amount) + [f"{key} {part}" for key, part in fields.items()]) or None


def _in_words(value: Any) -> Any:
    """Truth values, alone or in a list, as the words that they stand for."""
    if isinstance(value, bool):
        return "remote" if value else "onsite"
    return [_in_words(entry) for entry in value] if isinstance(value, list) else value


def _listed(value: Any, name: str, separator: str) -> str | None:
    """A label; a list of them, joined with `separator` in place of a comma."""
    if not isinstance(value, list):
        return label(value, name)
    parts = [part for entry in value if (part := _listed(entry, name, separator))]
    return separator.join(parts) or None


def _range(low: str | None, high: str | None) -> str:
    if low is None:
        return f"up to {high}" if high else ""
    if high is None:
        return f"from {low}"
    return low if low == high else f"{low}-{high}"


def _kind(value: Any) -> str:
    names = {bool: "true or false", dict: "an object", list: "a list", int: "a number", float: "a number"}
    return names.get(type(value), "text")
