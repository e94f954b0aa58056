"""`nearline report …`: write pages from the reports of earlier measurements."""

from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Write pages from the reports of earlier measurements.")


@app.callback()
def _group() -> None:
    """Makes `nearline report` a group of commands: typer would run a single command without its name."""


@app.command()
def ranker(
    *,
    runs: Annotated[
        Path, typer.Option(help="Folder of reports: dense.json, mlp50.json, mlp50-sft.json, scan.json, …")
    ],
    out: Annotated[Path, typer.Option(help="Page to write; its plot goes beside it.")] = Path(
        "docs/benchmarks/ranker.md"
    ),
) -> None:
    """Write the paper's tables 1 to 3 beside this project's, from reports of `nearline evaluate` and `prune scan`."""
    from training.evaluation.paper.measured import read_tables

    try:
        from training.evaluation.paper.page import write_page
    except ImportError as error:
        raise ConfigError(
            f"the plot needs matplotlib ({error}): pip install 'nearline-job-search[train]'"
        ) from error
    if not runs.is_dir():
        raise ConfigError(f"--runs {runs}: no such folder")
    write_page(read_tables(runs), out)
    typer.echo(f"{out} and {out.with_suffix('.png')}")
