"""The command line `nearline`: puts all commands together. A command reads its options and calls the other roots."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer
from kafka.errors import KafkaError
from rich.console import Console

from nearline.cli import (
    agreement,
    backfill,
    deadletters,
    evaluate,
    explain,
    models,
    page,
    plan,
    prune,
    report,
    schemas,
    search,
    serve,
    simulate,
    stack,
    store,
    stream,
    summarize,
    top,
    train,
    train_calibrate,
    train_drift,
    train_embedder,
    train_judge,
    train_rl,
    train_rl_sweep,
    train_sft,
    understand,
)
from nearline.cli.errors import print_error
from schemas.errors import NearlineError, exit_status

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Nearline semantic job search: posting updates in, features and alerts out. Start with `nearline demo`.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        Console().print(f"nearline {version('nearline-job-search')}", highlight=False)
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop."),
    ] = False,
) -> None:
    """Options of `nearline` itself."""


for module in (
    stack,
    page,
    top,
    stream,
    serve,
    search,
    summarize,
    understand,
    explain,
    simulate,
    plan,
    agreement,
    evaluate,
):
    module.register(app)
train_judge.register(train.app)
train_sft.register(train.app)
train_rl.register(train.app)
train_rl_sweep.register(train.app)
train_calibrate.register(train.app)
train_drift.register(train.app)
train_embedder.register(train.app)
app.add_typer(backfill.app, name="backfill")
app.add_typer(train.app, name="train")
app.add_typer(models.app, name="models")
app.add_typer(prune.app, name="prune")
app.add_typer(report.app, name="report")
app.add_typer(store.app, name="store")
app.add_typer(deadletters.app, name="dlq")
app.add_typer(schemas.app, name="schemas")


def run(argv: Sequence[str] | None = None) -> None:
    """Run the command line; an error of this project is printed in one line, without traceback.

    Exit status 2: a setting that cannot work or a file that is missing; 1: an outage. `argv`: None for the process's.
    """
    try:
        app(argv)
    except (NearlineError, FileNotFoundError, KafkaError) as error:
        print_error(error)
        sys.exit(exit_status(error))
