"""`nearline report …`: write pages from the reports of earlier measurements."""

from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import ConfigError

BENCHMARKS = Path("docs/benchmarks")

app = typer.Typer(no_args_is_help=True, help="Write pages from the reports of earlier measurements.")


@app.command()
def ranker(
    *,
    runs: Annotated[
        Path, typer.Option(help="Folder of reports: dense.json, mlp50.json, mlp50-sft.json, scan.json, …")
    ],
    out: Annotated[Path, typer.Option(help="Page to write; its plot goes beside it.")] = BENCHMARKS
    / "ranker.md",
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
        Path | None,
        typer.Option(
            help="Folder of reports: summaries.json, summaries-pruned.json, summaries-pruned-sft.json, sweep.json, and "
            "those of `report ranker`. Without it tables 1 to 6 are told not measured."
        ),
    ] = None,
    benchmarks: Annotated[
        Path, typer.Option(help="Folder of results of `python -m benchmarks`, for tables 7 to 9.")
    ] = BENCHMARKS,
    out: Annotated[Path, typer.Option(help="Page to write; its plot goes beside it.")] = BENCHMARKS
    / "paper.md",
) -> None:
    """Write the paper's tables 1 to 9 beside this project's, from kept reports; what is missing is told so."""
    from training.evaluation.paper.whole_page import write_whole_page

    for option, folder in (("--runs", runs), ("--benchmarks", benchmarks)):
        if folder and not folder.is_dir():
            raise ConfigError(f"{option} {folder}: no such folder")
    typer.echo("\n".join(map(str, write_whole_page(runs, out, benchmarks))))
