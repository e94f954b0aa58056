"""Typed reading of a TOML table: each function returns a good value or raises ValueError that names the key."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, NoReturn, TypeGuard


def only(table: Mapping[str, Any], known: Collection[str], where: str = "") -> None:
    """Refuse a key that means nothing: a slip of spelling must not pass for a default."""
    for key in table:
        if key not in known:
            raise ValueError(f"{where}{key} is not a setting; known: {', '.join(sorted(known))}")


def table_of(value: object, where: str) -> dict[str, Any]:
    """A table."""
    if not isinstance(value, dict):
        _refuse(value, where, "a table")
    return value


def words_of(value: object, where: str) -> str:
    """A text that is not empty, its white space collapsed."""
    if not isinstance(value, str) or not value.strip():
        _refuse(value, where, "a text")
    return " ".join(value.split())


def name_of(value: object, where: str) -> str:
    """One lower-case word that can stand in a key."""
    if not isinstance(value, str) or not value.isidentifier() or value != value.lower():
        _refuse(value, where, "one word of lower-case letters, digits and underscores")
    return value


def whole_of(value: object, where: str) -> int:
    """A whole number from 1 on."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        _refuse(value, where, "a whole number from 1 on")
    return value


def number_of(value: object, where: str, *, above: float, below: float = math.inf) -> float:
    """A number strictly between two others."""
    if not is_number(value) or not above < value < below:
        _refuse(
            value, where, f"a number above {above:g}" + (f" and below {below:g}" if below < math.inf else "")
        )
    return float(value)


def one_of(value: object, known: Collection[str], where: str) -> str:
    """One of a few words."""
    if not isinstance(value, str) or value not in known:
        _refuse(value, where, f"one of {', '.join(known)}")
    return value


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refuse(value: object, where: str, expected: str) -> NoReturn:
    found = "it is missing" if value is None else f"not {value!r:.60}"
    raise ValueError(f"{where} must be {expected}: {found}")
