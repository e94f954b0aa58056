"""`nearline train calibrate`: make `p_yes` mean what it says, and derive the default threshold of saved searches."""

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from models.engine.kernel_cache import kernel_cache
from models.engine.kernel_choice import kernel_choice
from nearline.cli.evaluate import progress
from nearline.cli.from_settings import from_settings
from training.calibration.settings import CalibrationRun

if TYPE_CHECKING:
    from models.calibration import Calibration


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(calibrate)


@from_settings
def calibrate(
    run: partial[CalibrationRun],
    *,
    ranker: Annotated[Path, typer.Option(help="Checkpoint directory; calibration.json is written into it.")],
    judged: Annotated[list[Path], typer.Option(help="Judged Parquet or JSON Lines; may be given again.")],
    postings: Annotated[list[Path], typer.Option(help="Postings of the judged ids; may be given again.")],
) -> None:
    """Fit p_yes to the share of relevant pairs on a held-out split, and write the curve into the checkpoint."""
    from training.calibration.run import calibrate as fit

    kernels = {"kernel_cache": kernel_cache(os.environ), "kernels": kernel_choice(os.environ)}
    with progress() as begin:
        found, told = fit(
            run(ranker=ranker, judged=tuple(judged), postings=tuple(postings), **kernels), begin
        )
    console = Console(highlight=False)
    console.print(_table(found))
    for line in told:
        console.print(line, markup=False)
    threshold = "none" if found.threshold is None else f"{found.threshold:.3f}"
    console.print(f"default threshold {threshold}; written to {ranker / 'calibration.json'}", markup=False)


def _table(found: "Calibration") -> Table:
    table = Table(
        "domain", title="Calibration, by curves fitted on the other half of the queries", title_justify="left"
    )
    names = ("pairs", "relevant", "ece_uncalibrated", "ece", "alerts", "precision", "recall")
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for domain, figures in found.fitted["domains"].items():
        table.add_row(domain, *(str(figures.get(name, "–")) for name in names))
    return table
