"""Changes of a settings class's fields by name and text, such as `rate` and `1e-5`."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any, TypeVar, get_args, get_type_hints

from schemas.errors import ConfigError

T = TypeVar("T")


def with_setting(settings: T, field: str, name: str, value: str) -> T:
    """The settings with `field` set to a value given as text; `name` is what messages call it.

    Raises ConfigError for a field that does not exist, or a value of another type.
    """
    hints = get_type_hints(type(settings))
    known = [f.name for f in fields(settings) if _is_plain(hints[f.name])]  # type: ignore[arg-type]
    if field not in known:
        raise ConfigError(f"--set {name}: no such setting; there are {', '.join(known)}")
    changed: T = replace(settings, **{field: _parsed(hints[field], name, value)})  # type: ignore[type-var]
    return changed


def _is_plain(kind: Any) -> bool:
    """Whether a field holds a value, and not other settings."""
    return not any(hasattr(part, "__dataclass_fields__") for part in (kind, *get_args(kind)))


def _parsed(kind: Any, name: str, value: str) -> Any:
    try:
        found = json.loads(value)
    except ValueError:
        found = value
    kinds = get_args(kind) or (kind,)
    if float in kinds and type(found) is int:
        found = float(found)
    if found not in kinds and type(found) not in kinds and not (found is None and type(None) in kinds):
        wanted = " or ".join(k.__name__ if isinstance(k, type) else repr(k) for k in kinds)
        raise ConfigError(f"--set {name}={value}: must be {wanted}")
    return found
