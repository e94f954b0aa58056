"""`nearline prune …`: a smaller checkpoint, in the stock Hugging Face form."""

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from schemas.errors import ConfigError

app = typer.Typer(
    no_args_is_help=True, help="Make a checkpoint smaller: neurons, blocks, and what each is worth."
)

Checkpoint = Annotated[Path, typer.Argument(metavar="DIR", help="Qwen3 checkpoint directory.")]
Out = Annotated[Path, typer.Option(help="Directory to write; an older checkpoint there is replaced whole.")]
Name = Annotated[
    str | None, typer.Option(help="What servers call it, such as `ranker@2`; default: the directory.")
]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
Postings = Annotated[Path, typer.Option(help="Postings, JSON Lines, gzipped or not.")]


@app.command()
def mlp(
    checkpoint: Checkpoint,
    *,
    out: Out,
    calibration: Annotated[Path, typer.Option(help="Postings to calibrate on, JSON Lines, gzipped or not.")],
    queries: Annotated[
        Path | None,
        typer.Option(help="Their queries: JSON Lines with `query`, or a judged file; default: titles."),
    ] = None,
    keep: Annotated[float, typer.Option(help="Share of the hidden neurons that stay, (0, 1].")] = 0.5,
    tokens: Annotated[int, typer.Option(help="Calibration tokens at most.")] = 1_000_000,
    block_size: Annotated[int, typer.Option(help="Neurons removed a step; 1 is the most exact.")] = 1,
    damping: Annotated[float, typer.Option(help="Share of the Hessian's mean diagonal added to it.")] = 0.01,
    batch_tokens: Annotated[int, typer.Option(help="Tokens of a batch: memory.")] = 8192,
    seed: Annotated[int, typer.Option(help="Which query meets which posting.")] = 0,
    scratch: Annotated[
        Path | None, typer.Option(help="Folder for hidden states; default: beside --out.")
    ] = None,
    name: Name = None,
    device: Device = "cpu",
) -> None:
    """Remove hidden neurons of every MLP by OSSCAR, calibrated on the ranker's own prompts."""
    from models.pruning.calibration import CalibrationSize  # noqa: PLC0415
    from models.pruning.mlp import MlpPruning  # noqa: PLC0415
    from models.pruning.osscar import Osscar  # noqa: PLC0415
    from training.pruning_runs import MlpRun, prune_mlp  # noqa: PLC0415

    run = MlpRun(
        checkpoint=checkpoint,
        out=out,
        postings=calibration,
        queries=queries,
        pruning=MlpPruning(keep=keep, osscar=Osscar(step=block_size, damping=damping)),
        size=CalibrationSize(tokens=tokens, batch_tokens=batch_tokens),
        seed=seed,
        scratch=scratch,
        name=name,
        device=device,
        command=_command(),
    )
    prune_mlp(run, _say)


@app.command()
def layers(
    checkpoint: Checkpoint,
    *,
    drop: Annotated[str, typer.Option(help="Blocks to remove, from 0, such as `6,7` or `20-27`.")],
    out: Out,
    name: Name = None,
) -> None:
    """Remove whole blocks, any set of them."""
    from training.pruning_runs import drop_blocks  # noqa: PLC0415

    drop_blocks(checkpoint, out, blocks(drop), name=name, command=_command(), progress=_say)


@app.command()
def scan(
    checkpoint: Checkpoint,
    *,
    judged: Annotated[Path, typer.Option(help="Judged queries, JSON Lines or Parquet.")],
    postings: Postings,
    report: Annotated[Path, typer.Option(help="JSON to write: NDCG@10 whole and without each block.")],
    device: Device = "cpu",
) -> None:
    """Remove each block in turn and measure NDCG@10 without it (the paper's table 2)."""
    from training.pruning_runs import scan_blocks  # noqa: PLC0415

    found = scan_blocks(checkpoint, judged, postings, device=device, progress=_say)
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps({"checkpoint": str(checkpoint), **found.as_json()}, indent=2) + "\n")


def blocks(text: str) -> list[int]:
    """The numbers of `6,7,20-27`; ConfigError for anything else."""
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() if dash else True)):
            raise ConfigError(f"--drop {text!r}: give block numbers such as 6,7 or 20-27")
        numbers += range(int(first), int(last) + 1) if dash else [int(first)]
    return numbers


def _command() -> str:
    return shlex.join(["nearline", *sys.argv[1:]])


def _say(line: str) -> None:
    Console(stderr=True).print(line, highlight=False)
