"""Commands of typer whose options are the fields of settings classes.

    @app.command()
    @from_settings
    def mlp(run: MlpRun) -> None: ...

A parameter that is a settings class (`schemas/settings.py`) becomes its options. A parameter `partial[Settings]` too,
but the command makes the settings itself, by calling it with the fields that it decides. A parameter with the name of
an option replaces that option.
"""

import inspect
from collections.abc import Callable, Iterator
from functools import partial, wraps
from typing import Annotated, Any, TypeVar, get_args, get_origin

import typer

from schemas.settings import Row, build, has_options, rows

R = TypeVar("R")


def from_settings(command: Callable[..., R]) -> Callable[..., R]:
    """`command` as typer shall see it: keyword parameters only, one for each option."""
    declared = inspect.signature(command, eval_str=True).parameters
    made = {name: kind for name, one in declared.items() if (kind := _settings(one.annotation))}
    own = [one for name, one in declared.items() if name not in made]
    taken = {one.name for one in own}
    options = {kind: [row for row in rows(kind) if row.dest not in taken] for kind in made.values()}

    @wraps(command)
    def called(**given: Any) -> R:
        found: dict[str, Any] = {one.name: given[one.name] for one in own if one.name in given}
        for name, kind in made.items():
            values = {row.dest: given[row.dest] for row in options[kind]}
            make = partial(build, kind, values)
            found[name] = make if get_origin(declared[name].annotation) is partial else make()
        return command(**found)

    parameters = list(_parameters(declared.values(), made, options))
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {one.name: one.annotation for one in parameters}
    return called


def _settings(annotation: Any) -> type[Any] | None:
    """The settings class that a parameter asks for, if it is one."""
    kind = get_args(annotation)[0] if get_origin(annotation) is partial else annotation
    return kind if has_options(kind) else None


def _parameters(
    declared: Any, made: dict[str, type[Any]], options: dict[type[Any], list[Row]]
) -> Iterator[inspect.Parameter]:
    for one in declared:
        if one.name in made:
            yield from map(_parameter, options[made[one.name]])
        else:
            yield one.replace(kind=inspect.Parameter.KEYWORD_ONLY)


def _parameter(row: Row) -> inspect.Parameter:
    return inspect.Parameter(
        row.dest,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if row.required else row.default,
        annotation=Annotated[list[row.kind] if row.many else row.hint, _info(row)],  # type: ignore[name-defined]
    )


def _info(row: Row) -> Any:
    """What typer is told of an option, apart from its type and default."""
    option = row.option
    if option.positional:
        return typer.Argument(help=option.help, metavar=option.metavar)
    if row.many:
        raise TypeError(f"{row.field}: a command has no option for several values")
    return typer.Option(
        *row.names,
        help=option.help,
        metavar=option.metavar,
        min=option.at_least,
        max=option.at_most,
        hidden=option.hidden,
        envvar=option.env,
        rich_help_panel=row.title or None,
    )
