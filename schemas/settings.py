"""Options of a settings dataclass: a field says an option's name, type and default, and its `Option` what it means.

    @dataclass(frozen=True, slots=True, kw_only=True)
    class WindowSettings:
        window_s: Annotated[float, Option("How long one search's candidates are collected.")] = 0.1

Services read their arguments with argparse (`schemas/arguments.py`), `nearline` with typer
(`nearline/cli/from_settings.py`), and `docs/configuration.md` lists the same options. A field without an `Option` is
no option.
"""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass, replace
from enum import StrEnum
from functools import reduce
from types import NoneType
from typing import Any, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Option:
    """What a field is for, and what its name and type do not say.

    `flag`: the option's name, where it is not the field's; `--a/--no-a` for one that can be denied. `also`: further
    names. `positional`: an argument without a name. `hidden`: for tests, in no help.
    """

    help: str
    flag: str = ""
    metavar: str | None = None
    also: tuple[str, ...] = field(default=(), kw_only=True)
    at_least: int | None = field(default=None, kw_only=True)
    at_most: int | None = field(default=None, kw_only=True)
    positional: bool = field(default=False, kw_only=True)
    hidden: bool = field(default=False, kw_only=True)


class Options(NamedTuple):
    """Marks a field that holds another settings class, whose options join; `title` is the heading over them."""

    title: str = ""


class UrlParameter(NamedTuple):
    """A parameter in the query of a store's URL: what it takes, what counts without it, what it means."""

    values: str
    default: str
    help: str


class Row(NamedTuple):
    """One option: the `path` of fields down to the one that it fills, and what it takes."""

    path: tuple[str, ...]
    option: Option
    hint: Any
    default: Any
    title: str

    @property
    def field(self) -> str:
        """The field that the option fills."""
        return self.path[-1]

    @property
    def kind(self) -> Any:
        """The type of one value: `Path` of `Path | None`, `int` of `tuple[int, ...]`."""
        if get_origin(self.hint) is Literal:
            return self.hint
        return next((part for part in get_args(self.hint) if part is not NoneType), self.hint)

    @property
    def many(self) -> bool:
        """Whether the field is a tuple of values."""
        return get_origin(self.hint) is tuple

    @property
    def choices(self) -> list[str] | None:
        """The values that a `Literal` or a `StrEnum` allows."""
        if get_origin(self.hint) is Literal:
            return list(get_args(self.hint))
        is_enum = isinstance(self.kind, type) and issubclass(self.kind, StrEnum)
        return list(self.kind) if is_enum else None

    @property
    def required(self) -> bool:
        """Whether the field has no default."""
        return self.default is MISSING

    @property
    def names(self) -> tuple[str, ...]:
        """The option's names on a command line, such as `--store`; none for a positional argument."""
        own = self.option.flag or f"--{self.field.replace('_', '-')}"
        return () if self.option.positional else (own, *self.option.also)

    @property
    def dest(self) -> str:
        """The option's name in a command line that was read, such as `store`."""
        named = self.names[0].partition("/")[0] if self.names else self.field
        return named.removeprefix("--").replace("-", "_")


def rows(settings: type[Any]) -> tuple[Row, ...]:
    """The options of a settings class and of those inside it, in the order of the fields."""
    found: list[Row] = []
    for one, hint, mark in _marked(settings):
        default = _default(one)
        if isinstance(mark, Option):
            found.append(Row((one.name,), mark, hint, default, ""))
        else:
            found += [
                Row(
                    (one.name, *row.path),
                    row.option,
                    row.hint,
                    _at(default, row.path),
                    mark.title or row.title,
                )
                for row in rows(type(default))
            ]
    return tuple(found)


def has_options(kind: object) -> bool:
    """Whether `kind` is a settings class with options."""
    return isinstance(kind, type) and is_dataclass(kind) and bool(rows(kind))


def build(settings: type[T], given: Mapping[str, Any], **more: Any) -> T:
    """The settings with `given` by `Row.dest` and `more` by field; a field that is in neither keeps its default.

    Raises what the settings class raises.
    """
    return settings(**_fields(settings, given) | more)


def to_argv(settings: Any) -> list[str]:
    """The command line that says what differs from the defaults, as `schemas.arguments.parse` reads it."""
    named: list[str] = []
    positional: list[str] = []
    for row in rows(type(settings)):
        value = _at(settings, row.path)
        if row.option.positional:
            positional += map(str, value if row.many else [value])
        elif value != row.default:
            named.append(row.names[0])
            named += [] if value is True else [",".join(map(str, value)) if row.many else str(value)]
    return [*named, *positional]


def shown(row: Row) -> str:
    """The default as a command line would give it; empty where there is none, or where it is "nothing"."""
    if row.required or row.kind is bool or row.default in (None, "", ()):
        return ""
    return ",".join(map(str, row.default)) if row.many else str(row.default)


def _marked(settings: type[Any]) -> Iterator[tuple[Field[Any], Any, Option | Options]]:
    """Field, type and mark of each field that has a mark."""
    hints = get_type_hints(settings, include_extras=True)
    plain = get_type_hints(settings)
    for one in fields(settings):
        for mark in getattr(hints[one.name], "__metadata__", ()):
            if isinstance(mark, Option | Options):
                yield one, plain[one.name], mark


def _fields(settings: type[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given of a settings class, by field; of a class inside it a copy of the default with what is given."""
    made = {
        row.field: tuple(given[row.dest]) if row.many else given[row.dest]
        for row in rows(settings)
        if len(row.path) == 1 and row.dest in given
    }
    for one, _, mark in _marked(settings):
        if isinstance(mark, Options):
            inner = _default(one)
            made[one.name] = replace(inner, **_fields(type(inner), given))
    return made


def _default(one: Field[Any]) -> Any:
    return one.default if one.default_factory is MISSING else one.default_factory()


def _at(settings: Any, path: tuple[str, ...]) -> Any:
    return reduce(getattr, path, settings)
