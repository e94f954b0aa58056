"""`nearline report …`: write pages from the reports of earlier measurements."""

from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Write pages from the reports of earlier measurements.")


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


@app.command()
def paper(
    *,
    runs: Annotated[
        Path,
        typer.Option(
            help="Folder of reports: summaries.json, summaries-pruned.json, summaries-pruned-sft.json, sweep.json, and "
            "those of `report ranker`."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Page to write; its plot goes beside it.")] = Path(
        "build/paper.md"
    ),
) -> None:
    """Write the paper's tables 1 to 6 beside this project's, from kept reports; what is missing is told so."""
    from training.evaluation.paper.whole_page import write_whole_page

    if not runs.is_dir():
        raise ConfigError(f"--runs {runs}: no such folder")
    typer.echo("\n".join(map(str, write_whole_page(runs, out))))
