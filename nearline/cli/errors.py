"""How a command ends with an error: one line on standard error and an exit status."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape

from schemas.errors import ConfigError


def print_error(error: Exception) -> None:
    """Print the error in one line, however wide the terminal is."""
    Console(stderr=True, soft_wrap=True).print(f"[bold red]error:[/] {escape(str(error))}", highlight=False)


@contextmanager
def settings_end_with_2() -> Iterator[None]:
    """End the command with status 2 for a setting that cannot work; an outage is raised on and ends it with 1."""
    try:
        yield
    except (ConfigError, FileNotFoundError) as error:
        print_error(error)
        raise typer.Exit(2) from error
