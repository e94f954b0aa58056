"""`nearline prune …`: make a checkpoint smaller; the result is a stock Hugging Face checkpoint."""

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from models.pruning.config import CalibrationSize, MlpPruning, Osscar

KEEP, SIZE, OSSCAR = MlpPruning().keep, CalibrationSize(), Osscar()

app = typer.Typer(
    no_args_is_help=True,
    help="Make a checkpoint smaller: remove neurons or blocks, measure what each block is worth.",
)

Checkpoint = Annotated[Path, typer.Argument(metavar="DIR", help="Qwen3 checkpoint directory.")]
Out = Annotated[Path, typer.Option(help="Directory to write; an older checkpoint there is replaced whole.")]
Name = Annotated[
    str | None, typer.Option(help="What servers call it, such as `ranker@2`; default: the directory.")
]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
Calibration = Annotated[Path, typer.Option(help="Postings to calibrate on, JSON Lines, gzipped or not.")]
Queries = Annotated[
    Path | None,
    typer.Option(help="Their queries: JSON Lines with `query`, or a judged file; default: titles."),
]
Keep = Annotated[float, typer.Option(help="Share of the hidden neurons that stay, (0, 1].")]
Tokens = Annotated[int, typer.Option(help="Calibration tokens at most.")]
BlockSize = Annotated[int, typer.Option(help="Neurons removed a step; 1 is the most exact.")]
Postings = Annotated[Path, typer.Option(help="Postings, JSON Lines, gzipped or not.")]


@app.command()
def mlp(
    checkpoint: Checkpoint,
    *,
    out: Out,
    calibration: Calibration,
    queries: Queries = None,
    keep: Keep = KEEP,
    tokens: Tokens = SIZE.tokens,
    block_size: BlockSize = OSSCAR.step,
    damping: Annotated[
        float, typer.Option(help="Share of the Hessian's mean diagonal added to it.")
    ] = OSSCAR.damping,
    batch_tokens: Annotated[int, typer.Option(help="Tokens of a batch: memory.")] = SIZE.batch_tokens,
    seed: Annotated[int, typer.Option(help="Which query meets which posting.")] = 0,
    scratch: Annotated[
        Path | None, typer.Option(help="Folder for hidden states; default: beside --out.")
    ] = None,
    in_memory: Annotated[
        bool, typer.Option("--in-memory", help="Keep hidden states in memory: quicker, grows with tokens.")
    ] = False,
    name: Name = None,
    device: Device = "cpu",
) -> None:
    """Remove hidden neurons of every MLP by OSSCAR, calibrated on the ranker's own prompts."""
    from training.pruning.runs import MlpRun, prune_mlp

    run = MlpRun(
        checkpoint=checkpoint,
        out=out,
        postings=calibration,
        queries=queries,
        pruning=MlpPruning(keep=keep, osscar=Osscar(step=block_size, damping=damping)),
        size=CalibrationSize(tokens=tokens, batch_tokens=batch_tokens),
        seed=seed,
        scratch=scratch,
        in_memory=in_memory,
        name=name,
        device=device,
        command=_command(),
    )
    prune_mlp(run, _say)


@app.command()
def layers(
    checkpoint: Checkpoint,
    *,
    drop: Annotated[str, typer.Option(help="Blocks to remove, from 0, such as `6,7`, `20-27` or `last:8`.")],
    out: Out,
    name: Name = None,
) -> None:
    """Remove whole blocks, any set of them."""
    from training.pruning.blocks import Drop
    from training.pruning.runs import drop_blocks

    drop_blocks(
        checkpoint, out, Drop(blocks=drop).numbers(checkpoint), name=name, command=_command(), progress=_say
    )


@app.command()
def scan(
    checkpoint: Checkpoint,
    *,
    judged: Annotated[Path, typer.Option(help="Judged queries, JSON Lines or Parquet.")],
    postings: Postings,
    report: Annotated[
        Path, typer.Option(help="JSON to write: NDCG@10 of each query, whole and without each block.")
    ],
    split: Annotated[str, typer.Option(help="train, dev or test of a file with splits.")] = "all",
    device: Device = "cpu",
) -> None:
    """Remove each block in turn and measure NDCG@10 without it (the paper's table 2)."""
    from training.pruning.runs import scan_blocks

    found = scan_blocks(checkpoint, judged, postings, split=split, device=device, progress=_say)
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps({"checkpoint": str(checkpoint), **found.as_json()}, indent=2) + "\n")


@app.command()
def recipe(
    checkpoint: Checkpoint,
    *,
    out: Out,
    calibration: Calibration,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="A name that `nearline train recipes` lists; it says what goes, and fine-tunes by `nearline train sft`."
        ),
    ] = None,
    launcher: Annotated[str, typer.Option(help="Starts it, such as `torchrun --nproc-per-node 8`.")] = "",
    sft: Annotated[
        str | None,
        typer.Option(help="Without --recipe, fine-tuning: a command with {checkpoint} and {out} in it."),
    ] = None,
    drop: Annotated[
        str | None,
        typer.Option(help="Without --recipe, blocks to remove: `20-27`, `last:8`, or `least:8` by a scan."),
    ] = None,
    work: Annotated[Path | None, typer.Option(help="Folder of the stages; default: OUT.stages.")] = None,
    judged: Annotated[Path | None, typer.Option(help="Judged queries of --recipe or `least:`.")] = None,
    postings: Annotated[Path | None, typer.Option(help="Their postings.")] = None,
    split: Annotated[str, typer.Option(help="What `least:` is measured on.")] = "all",
    queries: Queries = None,
    keep: Keep = KEEP,
    tokens: Tokens = SIZE.tokens,
    block_size: BlockSize = OSSCAR.step,
    name: Name = None,
    device: Device = "cpu",
) -> None:
    """Prune, fine-tune, drop blocks, fine-tune: cut off, it goes on with the stage that it was in."""
    from training.pruning.blocks import Drop
    from training.pruning.runs import MlpRun
    from training.pruning.stages import RecipeRun, run_recipe

    mlp_run = MlpRun(
        checkpoint=checkpoint,
        out=out,
        postings=calibration,
        queries=queries,
        pruning=MlpPruning(keep=keep, osscar=Osscar(step=block_size)),
        size=CalibrationSize(tokens=tokens),
        name=name,
        device=device,
        command=_command(),
    )
    blocks = Drop(blocks=drop or "", judged=judged, postings=postings, split=split)
    run_recipe(
        RecipeRun(mlp=mlp_run, drop=blocks, sft=sft, recipe=recipe, launcher=launcher, work=work), _say
    )


def _command() -> str:
    return shlex.join(["nearline", *sys.argv[1:]])


def _say(line: str) -> None:
    Console(stderr=True).print(line, highlight=False)
