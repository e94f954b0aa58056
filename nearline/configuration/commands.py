"""Sections of the configuration page for every command of `nearline`, read from the command line itself."""

import inspect
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

import typer.main

from nearline.cli.app import app
from nearline.configuration.tables import Entry, Section, kind, names, value

HOME = "--home"


def commands() -> Iterator[Section]:
    """The heading, then a section for each command that has options or arguments."""
    yield Section(2, "`nearline` commands", "Commands that are not listed have no options.")
    yield from _sections(typer.main.get_command(app), "nearline")


def _sections(command: Any, name: str) -> Iterator[Section]:
    entries = tuple(_entries(command))
    if entries:
        yield Section(3, f"`{name}`", "", entries)
    for child, inner in getattr(command, "commands", {}).items():
        # `nearline backfill CATALOG` is its hidden command `run`
        yield from _sections(inner, name if inner.hidden else f"{name} {child}")


def _entries(command: Any) -> Iterator[Entry]:
    hints = _hints(command.callback)
    for one in command.params:
        if getattr(one, "hidden", False) or one.name in {"help", "install_completion", "show_completion"}:
            continue
        positional = one.param_type_name == "argument"
        shown = (
            f"`{(one.metavar or one.name).upper()}`"
            if positional
            else names([*one.opts, *one.secondary_opts])
        )
        default = "required" if one.required else value(one.default)
        variable = f" Else the variable `{one.envvar}`." if one.envvar else ""
        yield Entry(shown, kind(hints[one.name]), default, f"{one.help or ''}{variable}".strip())


def _hints(callback: Any) -> dict[str, Any]:
    """The type of each parameter, without what typer is told of it."""
    if callback is None:
        return {}
    found = {
        name: one.annotation for name, one in inspect.signature(callback, eval_str=True).parameters.items()
    }
    return {
        name: get_args(hint)[0] if get_origin(hint) is Annotated else hint for name, hint in found.items()
    }
