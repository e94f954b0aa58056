"""`nearline report …`: pages made anew from measurements that were kept."""

from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Write pages anew from reports that were kept.")


@app.callback()
def _group() -> None:
    """Keep the group a group while it has one command."""


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
    """The paper's tables 1, 2 and 3 beside ours, from reports of `nearline evaluate` and `nearline prune scan`."""
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
