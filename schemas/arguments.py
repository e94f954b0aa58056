"""Settings classes read from a command line by argparse: light, for processes that start on workers and in pods."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from schemas.settings import Row, build, rows, shown

T = TypeVar("T")


def parse(settings: type[T], argv: Sequence[str] | None, *, prog: str, description: str | None = None) -> T:
    """The settings that `argv` asks for (None: this process's own); argparse ends the process for a bad argument.

    Raises what the settings class raises.
    """
    parser = argparse.ArgumentParser(prog=prog, description=description)
    add(parser, settings)
    return build(settings, vars(parser.parse_args(argv)))


def add(parser: argparse.ArgumentParser, settings: type[Any]) -> None:
    """Add the options of a settings class to a parser."""
    groups: dict[str, Any] = {"": parser}
    for row in rows(settings):
        if row.title not in groups:
            groups[row.title] = parser.add_argument_group(row.title)
        if row.names:
            names = [name.partition("/")[0] for name in row.names]
            groups[row.title].add_argument(*names, dest=row.dest, **_named(row))
        else:
            groups[row.title].add_argument(row.dest, nargs="+" if row.many else None, **_common(row))


def _named(row: Row) -> dict[str, Any]:
    default = None if row.required else row.default
    made = {"default": default, "required": row.required}
    if row.kind is bool:
        denied = "/" in row.names[0]
        action = argparse.BooleanOptionalAction if denied else "store_true"
        return made | {"action": action, "help": _help(row)}
    kind = _separated(row) if row.many else _one(row)
    return made | _common(row) | {"type": kind}


def _common(row: Row) -> dict[str, Any]:
    return {
        "type": _one(row),
        "choices": row.choices,
        "metavar": row.option.metavar,
        "help": _help(row),
    }


def _help(row: Row) -> str:
    if row.option.hidden:
        return argparse.SUPPRESS
    default = f" [default: {shown(row)}]" if shown(row) else ""
    return (row.option.help + default).replace("%", "%%")


def _one(row: Row) -> Callable[[str], Any]:
    """Reads one value; argparse names the type of a text that is none, and the choices."""
    least, most = row.option.at_least, row.option.at_most
    kind: Callable[[str], Any] = row.kind
    if (choices := row.choices) is not None:
        return lambda text: next((choice for choice in choices if choice == text), text)
    if least is None and most is None:
        return kind

    def bounded(text: str) -> Any:
        value = kind(text)
        if (least is not None and value < least) or (most is not None and value > most):
            above = f"at least {least}" if most is None else f"{least} to {most}"
            raise argparse.ArgumentTypeError(f"{text} is not {above}")
        return value

    bounded.__name__ = getattr(kind, "__name__", "value")
    return bounded


def _separated(row: Row) -> Callable[[str], tuple[Any, ...]]:
    one = _one(row)

    def values(text: str) -> tuple[Any, ...]:
        return tuple(one(part) for part in text.split(",") if part)

    values.__name__ = f"{row.kind.__name__},{row.kind.__name__},..."
    return values
