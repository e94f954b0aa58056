"""`nearline train drift`: from which means on the drift monitor takes a summarizer for one that no longer fits."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from nearline.cli import options
from nearline.cli.from_settings import from_settings
from nearline.cli.progress import progress_display
from schemas.settings import Option


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRun:
    """Which summarizer is measured by which ranker, on how many postings."""

    summarizer: Annotated[Path, Option("Checkpoint directory; the thresholds go into its nearline.json.")]
    ranker: Annotated[
        str,
        Option("Frozen ranker: a checkpoint directory, or a model server's URL; default: the shipped one."),
    ] = str(options.CHECKPOINTS / "ranker-tiny")
    tokenizer: Annotated[Path | None, Option("For a URL: the checkpoint that is served there.")] = None
    split: Annotated[Literal["dev", "test"], Option("Which of the held-out postings: dev or test.")] = "dev"
    most: Annotated[int, Option("Postings of each file.")] = 150
    device: Annotated[str, Option("auto, cpu or cuda.")] = "cpu"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(drift)


@from_settings
def drift(
    run: DriftRun,
    postings: Annotated[
        list[Path],
        typer.Option(help="Postings as in training, JSON Lines; may be given again, each is a group."),
    ],
) -> None:
    """Derive the drift monitor's thresholds from held-out postings, and write them into the summarizer's card."""
    from training.evaluation.settings import RankerPlace
    from training.rl.drift import drift_thresholds

    place, console = (
        RankerPlace(name=run.ranker, tokenizer=run.tokenizer, device=run.device),
        Console(stderr=True),
    )
    with progress_display(console) as bar:
        task = bar.add_task("measuring", total=run.most * len(postings))
        found = drift_thresholds(
            run.summarizer,
            place,
            postings,
            split_name=run.split,
            most=run.most,
            tell=lambda count: bar.update(task, advance=count),
        )
    console.print(
        f"alarm above KL {found.kl}, unknown tokens {found.unknown}, guarded {found.guarded}, "
        f"means of {found.window} postings; written to {run.summarizer / 'nearline.json'}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
