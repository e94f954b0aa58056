"""Tables of the configuration page: one row for each option, variable or parameter, with its type and default."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

from schemas.settings import Row, rows

ROOT = Path(__file__).parents[2]
NAMES = {str: "text", int: "integer", float: "number", bool: "flag", Path: "path"}


class Entry(NamedTuple):
    """A row of the page, as it is written there; `readers`: the programs that read an environment variable."""

    name: str
    kind: str
    default: str
    meaning: str
    readers: str = ""


class Section(NamedTuple):
    """A part of the page: a heading with its level, what stands under it, and its table; `head` names the columns."""

    level: int
    title: str
    text: str = ""
    entries: tuple[Entry, ...] = ()
    head: tuple[str, ...] = ("option", "type", "default", "meaning")


def options(*settings: type[Any]) -> tuple[Entry, ...]:
    """The options of settings classes that are not for tests only."""
    return tuple(entry(row) for one in settings for row in rows(one) if not row.option.hidden)


def entry(row: Row) -> Entry:
    """A settings class's option as a row."""
    option = row.option
    name = names(row.names) if row.names else f"`{(option.metavar or row.field).upper()}`"
    variable = f" Else the variable `{option.env}`." if option.env else ""
    default = "required" if row.required else value(row.default)
    return Entry(name, kind(row.hint), default, f"{option.help}{variable}")


def names(given: Iterable[str]) -> str:
    """The names of an option, `--resume/--no-resume` as two."""
    return ", ".join(f"`{name}`" for one in given for name in one.split("/"))


def kind(hint: Any) -> str:
    """The type of a value in words."""
    if get_origin(hint) is Literal:
        return ", ".join(f"`{one}`" for one in get_args(hint))
    inner = [part for part in get_args(hint) if part not in (type(None), Ellipsis)]
    if get_origin(hint) in (list, tuple):
        return f"{kind(inner[0])}, …"
    if inner:
        return kind(inner[0])
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return ", ".join(f"`{one}`" for one in hint)
    return NAMES[hint]


def value(default: Any) -> str:
    """A default as it would be given; a path inside the repository from its root."""
    if default in (None, "", ()) or default is False:
        return "–"
    if isinstance(default, list | tuple):
        return f"`{','.join(map(str, default))}`"
    text = "true" if default is True else str(default).removeprefix(f"{ROOT}/")
    return f"`{text}`"


def lines(section: Section) -> Iterator[str]:
    """A section as Markdown."""
    yield from ("", f"{'#' * section.level} {section.title}")
    if section.text:
        yield from ("", section.text)
    if section.entries:
        yield from ("", _line(section.head), _line("---" for _ in section.head))
        yield from (_line(one[: len(section.head)]) for one in section.entries)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
