"""Records whose every field has a value of its own, so that a copy that forgets a field is seen."""

from collections.abc import Callable
from dataclasses import fields
from enum import Enum
from typing import Any, TypeVar, get_args, get_type_hints

T = TypeVar("T")

_VALUES: dict[type, Callable[[str, int], object]] = {
    int: lambda _, number: 100 + number,
    str: lambda name, _: f"a {name}",
    bytes: lambda name, _: name.encode(),
}


def filled(cls: type[T], **given: Any) -> T:
    """A record with a value other than its default in every field; `given` replaces some of them."""
    kinds = get_type_hints(cls)
    names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
    made = {name: _value(kinds[name], name, number) for number, name in enumerate(names, 1)}
    return cls(**(made | given))


def _value(kind: Any, name: str, number: int) -> object:
    plain = next((each for each in get_args(kind) if each is not type(None)), kind)
    if issubclass(plain, Enum):
        return list(plain)[-1]
    return _VALUES[plain](name, number)
