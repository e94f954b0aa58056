"""`nearline backfill CATALOG` and `nearline backfill submit`."""

import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from batch.report import BackfillReport
from batch.settings import BackfillSettings
from batch.submit import command, printed, ship
from nearline.cli import options
from nearline.cli.from_settings import from_settings
from nearline.publishing import publisher_of
from nearline.stack.tools import java_home
from schemas.errors import ConfigError
from storage.couchbase.url import with_login

_SHIPPED_TOKENIZER = options.CHECKPOINTS / "summarizer-tiny"


class _RunByDefault(TyperGroup):
    """Runs `nearline backfill run CATALOG` for `nearline backfill CATALOG`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `run` before arguments that begin with no command of this group."""
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_RunByDefault, no_args_is_help=True, help="Fill a store from a catalog, with Spark.")


@app.command(hidden=True)
@from_settings
def run(
    settings: partial[BackfillSettings],
    store: Annotated[str | None, typer.Option(help="Store URL; default: the local stack's store.")] = None,
    tokenizer: Annotated[
        Path | None,
        typer.Option(
            help="The summarizer's checkpoint, to cut texts by its tokens; default: the shipped one."
        ),
    ] = None,
    home: options.Home = None,
) -> None:
    """Fill a store from a catalog by Spark on this machine; after a kill the same command continues."""
    made = settings(store_url=with_login(store or options.running_stack(home).store_url, os.environ))
    made = replace(made, tokenizer_dir=_tokenizer(made.summarizer_url, tokenizer))
    console = Console()
    show(_here(_placed(made), console), console)


@app.command()
@from_settings
def submit(
    settings: BackfillSettings,
    master: Annotated[
        str, typer.Option(help="local[N], spark://host:port, yarn or k8s://https://host:port.")
    ],
    conf: Annotated[
        list[str] | None, typer.Option(help="A Spark setting, NAME=VALUE; may be repeated.")
    ] = None,
    pyfiles: Annotated[Path, typer.Option(help="Where the zip of our code is built.")] = Path(
        "build/backfill.zip"
    ),
    *,
    only_print: Annotated[
        bool, typer.Option("--print", help="Print the spark-submit command instead.")
    ] = False,
) -> None:
    """Run the backfill by `spark-submit` on any Spark master; options after --conf NAME=VALUE reach Spark."""
    line = command(_placed(settings), master, str(ship(pyfiles)), conf=_conf(conf or []))
    if only_print:
        typer.echo(printed(line))
        return
    env = os.environ | {"JAVA_HOME": str(java_home()), "PYSPARK_PYTHON": sys.executable}
    raise typer.Exit(subprocess.run(line, env=env, check=False).returncode)


def _placed(settings: BackfillSettings) -> BackfillSettings:
    """The settings with whatever lies on this machine named by its full path."""
    return replace(
        settings,
        catalog=tuple(map(_shared, settings.catalog)),
        report=_shared(settings.report),
        state=_shared(settings.state),
        dead_letters=_shared(settings.dead_letters),
    )


def _conf(pairs: list[str]) -> dict[str, str]:
    """Parse NAME=VALUE pairs. ConfigError for any other text."""
    split = [pair.partition("=") for pair in pairs]
    for name, sign, _ in split:
        if not sign:
            raise ConfigError(f"--conf {name}: give NAME=VALUE")
    return {name: value for name, _, value in split}


def _shared(address: str) -> str:
    """Make a path absolute, because the driver may run in another folder; a URL and "" stay as they are."""
    return address if "://" in address or not address else str(Path(address).resolve())


def _here(settings: BackfillSettings, console: Console) -> BackfillReport:
    """Run a backfill by a local Spark, in child processes. ConfigError when Java or PySpark is missing."""
    # PySpark reads these two settings from the environment only
    os.environ |= {"JAVA_HOME": str(java_home()), "PYSPARK_PYTHON": sys.executable}
    try:
        from batch.backfill import backfill
        from batch.spark import SparkEngine, local_session
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{error.name} is not installed: pip install 'nearline-job-search[spark]'"
        ) from error
    return backfill(
        settings,
        SparkEngine(lambda: local_session(settings.parallelism), settings.parallelism),
        lambda line: console.print(line, highlight=False, soft_wrap=True, markup=False),
        publisher_of(settings, os.environ),
    )


def show(report: BackfillReport, console: Console) -> None:
    """Print the figures of the report."""
    for name, value in report.figures().items():
        if name not in {"outcomes", "catalog"}:
            console.print(f"{name:24} {value}", highlight=False, soft_wrap=True, markup=False)


def _tokenizer(summarizer: str, given: Path | None) -> str:
    if given is not None:
        return str(given.resolve())
    return "" if summarizer.startswith("instant:") else str(_SHIPPED_TOKENIZER)
