"""`nearline schemas check | freeze`."""

import typer
from rich.console import Console

from nearline.shown import markup
from schemas.check import check as find_problems
from schemas.check import freeze as write_history

app = typer.Typer(no_args_is_help=True, help="The Avro contracts and their history.")


@app.command()
def check() -> None:
    """Fail when a contract changed in a way that older data or readers cannot follow."""
    problems = find_problems()
    for problem in problems:
        Console(stderr=True).print(f"[red]{markup(str(problem))}[/]", highlight=False)
    if problems:
        raise typer.Exit(1)
    Console().print("every contract reads every version in schemas/history")


@app.command()
def freeze() -> None:
    """Write the current contracts into schemas/history as their newest version."""
    for path in write_history():
        Console().print(f"wrote {path}", markup=False)
