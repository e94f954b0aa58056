"""`nearline backfill CATALOG` and `nearline backfill submit`."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from batch.report import Report
from batch.settings import BackfillSettings, Mode
from batch.submit import command, printed, ship
from nearline.cli import options
from nearline.publishing import publisher_of
from nearline.stack.tools import java_home
from schemas.errors import ConfigError
from storage.couchbase.url import with_login

_DEFAULTS = BackfillSettings(catalog=("-",), store_url="-")
_SHIPPED_TOKENIZER = options.CHECKPOINTS / "summarizer-tiny"


class _RunByDefault(TyperGroup):
    """Runs `nearline backfill run CATALOG` for `nearline backfill CATALOG`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_RunByDefault, no_args_is_help=True, help="Fill a store from a catalog, with Spark.")

Catalog = Annotated[
    list[str],
    typer.Argument(help="Postings: files, folders or globs; Parquet, Avro, JSON Lines, plain or .gz."),
]
Store = Annotated[str | None, typer.Option(help="Store URL; default: the local stack's store.")]
ModeOption = Annotated[
    Mode,
    typer.Option(
        help="`all`; `missing`: postings that the store does not have; `stale`: those with another text than the "
        "catalog's, or a summary of an older generation."
    ),
]
Summarizer = Annotated[str, typer.Option(help="Model server's URL, or `instant:` (no model).")]
Tokenizer = Annotated[
    Path | None,
    typer.Option(help="The summarizer's checkpoint, to cut texts by its tokens; default: the shipped one."),
]
Sample = Annotated[float, typer.Option(help="The part of the postings to work on, by their ids.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Write nothing: say how many summaries, tokens and hours.")
]
AssumeRate = Annotated[
    float,
    typer.Option("--rate", help="With --dry-run: summaries a second; default: measured on a few texts."),
]
ReportFile = Annotated[str, typer.Option(help="Where the closing report goes, as JSON.")]
State = Annotated[
    str, typer.Option(help="Folder (or URI) that remembers progress; the same command goes on there.")
]
DeadLetters = Annotated[
    str, typer.Option(help="Folder of the dead letters; default: inside the run's folder.")
]
Publish = Annotated[
    str,
    typer.Option(
        help="Kafka brokers, HOST:PORT: each record that changes also goes to postings.features, so that saved searches "
        "meet it."
    ),
]
Registry = Annotated[str, typer.Option(help="With --publish: the schema registry's URL.")]
Parallelism = Annotated[int, typer.Option(help="Tasks at a time.")]
Concurrency = Annotated[int, typer.Option(help="Calls to the model server in flight, over all tasks.")]
MaxRate = Annotated[float, typer.Option(help="Summaries a second over all tasks; 0 = no limit.")]
ChunkRows = Annotated[int, typer.Option(help="Rows that are read, written and counted at once.")]
Patience = Annotated[float, typer.Option(help="Seconds that an outage is waited out.")]


@app.command(hidden=True)
def run(
    catalog: Catalog,
    store: Store = None,
    mode: ModeOption = _DEFAULTS.mode,
    summarizer: Summarizer = _DEFAULTS.summarizer_url,
    tokenizer: Tokenizer = None,
    sample: Sample = _DEFAULTS.sample,
    *,
    dry_run: DryRun = False,
    rate: AssumeRate = _DEFAULTS.assume_rate_per_s,
    report: ReportFile = _DEFAULTS.report,
    state: State = _DEFAULTS.state,
    dead_letters: DeadLetters = _DEFAULTS.dead_letters,
    publish: Publish = _DEFAULTS.publish,
    schema_registry: Registry = _DEFAULTS.schema_registry,
    parallelism: Parallelism = _DEFAULTS.parallelism,
    concurrency: Concurrency = _DEFAULTS.concurrency,
    max_rate: MaxRate = _DEFAULTS.rate_per_s,
    chunk_rows: ChunkRows = _DEFAULTS.chunk_rows,
    patience_s: Patience = _DEFAULTS.patience_s,
    home: options.Home = None,
) -> None:
    """Fill a store from a catalog on this machine; killed, the same command goes on where it was."""
    settings = _settings(
        catalog,
        store_url=with_login(store or options.running_stack(home).store_url, os.environ),
        summarizer_url=summarizer,
        tokenizer_dir=_tokenizer(summarizer, tokenizer),
        mode=mode,
        sample=sample,
        dry_run=dry_run,
        assume_rate_per_s=rate,
        report=report,
        state=state,
        dead_letters=dead_letters,
        publish=publish,
        schema_registry=schema_registry,
        parallelism=parallelism,
        concurrency=concurrency,
        rate_per_s=max_rate,
        chunk_rows=chunk_rows,
        patience_s=patience_s,
    )
    console = Console()
    show(_here(settings, console), console)


@app.command()
def submit(
    catalog: Catalog,
    master: Annotated[
        str, typer.Option(help="local[N], spark://host:port, yarn or k8s://https://host:port.")
    ],
    store: Annotated[str, typer.Option(help="Store URL that every worker reaches.")],
    mode: ModeOption = _DEFAULTS.mode,
    summarizer: Summarizer = _DEFAULTS.summarizer_url,
    tokenizer: Annotated[
        str, typer.Option(help="The summarizer's checkpoint, where every worker has it.")
    ] = "",
    sample: Sample = _DEFAULTS.sample,
    *,
    dry_run: DryRun = False,
    rate: AssumeRate = _DEFAULTS.assume_rate_per_s,
    report: ReportFile = _DEFAULTS.report,
    state: State = _DEFAULTS.state,
    dead_letters: DeadLetters = _DEFAULTS.dead_letters,
    publish: Publish = _DEFAULTS.publish,
    schema_registry: Registry = _DEFAULTS.schema_registry,
    parallelism: Parallelism = _DEFAULTS.parallelism,
    concurrency: Concurrency = _DEFAULTS.concurrency,
    max_rate: MaxRate = _DEFAULTS.rate_per_s,
    chunk_rows: ChunkRows = _DEFAULTS.chunk_rows,
    patience_s: Patience = _DEFAULTS.patience_s,
    conf: Annotated[
        list[str] | None, typer.Option(help="A Spark setting, NAME=VALUE; may be repeated.")
    ] = None,
    pyfiles: Annotated[Path, typer.Option(help="Where the zip of our code is built.")] = Path(
        "build/backfill.zip"
    ),
    only_print: Annotated[
        bool, typer.Option("--print", help="Print the spark-submit command instead.")
    ] = False,
) -> None:
    """Run the backfill by `spark-submit` on any Spark master; options after --conf NAME=VALUE reach Spark."""
    settings = _settings(
        catalog,
        store_url=store,
        summarizer_url=summarizer,
        tokenizer_dir=tokenizer,
        mode=mode,
        sample=sample,
        dry_run=dry_run,
        assume_rate_per_s=rate,
        report=report,
        state=state,
        dead_letters=dead_letters,
        publish=publish,
        schema_registry=schema_registry,
        parallelism=parallelism,
        concurrency=concurrency,
        rate_per_s=max_rate,
        chunk_rows=chunk_rows,
        patience_s=patience_s,
    )
    line = command(settings, master, str(ship(pyfiles)), conf=_conf(conf or []))
    if only_print:
        typer.echo(printed(line))
        return
    env = os.environ | {"JAVA_HOME": str(java_home()), "PYSPARK_PYTHON": sys.executable}
    raise typer.Exit(subprocess.run(line, env=env, check=False).returncode)


def _settings(
    catalog: list[str], *, report: str, state: str, dead_letters: str, **more: Any
) -> BackfillSettings:
    """Both commands' settings; what is on this machine is named by its full path."""
    return BackfillSettings(
        catalog=tuple(map(_shared, catalog)),
        report=_shared(report),
        state=_shared(state),
        dead_letters=_shared(dead_letters),
        **more,
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


def _here(settings: BackfillSettings, console: Console) -> Report:
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
        lambda line: console.print(line, highlight=False, soft_wrap=True),
        publisher_of(settings, os.environ),
    )


def show(report: Report, console: Console) -> None:
    """Print the figures of the report."""
    for name, value in report.figures().items():
        if name not in {"outcomes", "catalog"}:
            console.print(f"{name:24} {value}", highlight=False, soft_wrap=True, markup=False)


def _tokenizer(summarizer: str, given: Path | None) -> str:
    if given is not None:
        return str(given.resolve())
    return "" if summarizer.startswith("instant:") else str(_SHIPPED_TOKENIZER)
