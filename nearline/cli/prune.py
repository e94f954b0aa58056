"""`nearline prune …`: make a checkpoint smaller; the result is a stock Hugging Face checkpoint."""

import json
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from nearline.cli.from_settings import from_settings
from training.pruning.settings import Drop, MlpRun, RecipeRun

app = typer.Typer(
    no_args_is_help=True,
    help="Make a checkpoint smaller: remove neurons or blocks, measure what each block is worth.",
)

Checkpoint = Annotated[Path, typer.Argument(metavar="DIR", help="Checkpoint directory.")]


@app.command()
@from_settings
def mlp(run: partial[MlpRun]) -> None:
    """Remove hidden neurons of every MLP by OSSCAR, calibrated on the ranker's own prompts."""
    from training.pruning.runs import prune_mlp

    prune_mlp(run(command=_command()), _say)


@app.command()
def layers(
    checkpoint: Checkpoint,
    *,
    drop: Annotated[str, typer.Option(help="Blocks to remove, from 0, such as `6,7`, `20-27` or `last:8`.")],
    out: Annotated[
        Path, typer.Option(help="Directory to write; an older checkpoint there is replaced whole.")
    ],
    name: Annotated[
        str | None,
        typer.Option(help="What servers call it, such as `ranker@2`; default: the directory."),
    ] = None,
) -> None:
    """Remove whole blocks, any set of them."""
    from training.pruning.blocks import dropped
    from training.pruning.runs import drop_blocks

    drop_blocks(
        checkpoint, out, dropped(Drop(blocks=drop), checkpoint), name=name, command=_command(), progress=_say
    )


@app.command()
def scan(
    checkpoint: Checkpoint,
    *,
    judged: Annotated[Path, typer.Option(help="Judged queries, JSON Lines or Parquet.")],
    postings: Annotated[Path, typer.Option(help="Postings, JSON Lines, gzipped or not.")],
    report: Annotated[
        Path, typer.Option(help="JSON to write: NDCG@10 of each query, whole and without each block.")
    ],
    split: Annotated[str, typer.Option(help="train, dev or test of a file with splits.")] = "all",
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Remove each block in turn and measure NDCG@10 without it (the paper's table 2)."""
    from training.pruning.runs import scan_blocks

    found = scan_blocks(checkpoint, judged, postings, split=split, device=device, progress=_say)
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps({"checkpoint": str(checkpoint), **found.as_json()}, indent=2) + "\n")


@app.command()
@from_settings
def recipe(mlp: partial[MlpRun], drop: Drop, run: partial[RecipeRun]) -> None:
    """Prune, fine-tune, drop blocks, fine-tune; after an interruption the same command continues with its stage."""
    from training.pruning.stages import run_recipe

    run_recipe(run(mlp=mlp(command=_command()), drop=drop), _say)


def _command() -> str:
    return shlex.join(["nearline", *sys.argv[1:]])


def _say(line: str) -> None:
    Console(stderr=True).print(line, highlight=False, markup=False)
