"""`nearline train sft` and `nearline train recipes`."""

import importlib.util
import json
import os
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from schemas.errors import ConfigError
from training import recipes
from training.sft.config import SftConfig, SftStage
from training.sft.overrides import override

if TYPE_CHECKING:
    from training.components.run_directory import Metrics
    from training.sft.examples import Wording
    from training.sft.loop import Result, Watch


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command()(sft)
    app.command("recipes")(show_recipes)


def sft(
    *,
    judged: Annotated[Path, typer.Option(help="Judged Parquet with rows in the splits train and dev.")],
    postings: Annotated[Path, typer.Option(help="Postings, JSON Lines, gzipped or not.")],
    model: Annotated[Path, typer.Option(help="Qwen3 checkpoint directory to start from.")],
    out: Annotated[
        Path, typer.Option(help="Run directory: configuration, metrics, curves, checkpoints, best/.")
    ],
    best_to: Annotated[
        Path | None, typer.Option(help="Also put the best model here: a stock Hugging Face directory.")
    ] = None,
    recipe: Annotated[str, typer.Option(help="A name that `nearline train recipes` lists.")] = "ranker_tiny",
    work: Annotated[int, typer.Option(help="Which fine-tuning of a recipe that has several, from 1 on.")] = 1,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="name=value over the recipe's; stages.1.rate=1e-5 for one stage."),
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="Policy that rationales are worded by; default: the shipped one.")
    ] = None,
    from_scratch: Annotated[
        bool, typer.Option(help="Take only the directory's shape and tokenizer; new weights.")
    ] = False,
    resume: Annotated[
        bool, typer.Option(help="Go on from the last checkpoint of --out, if there is one.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    shard: Annotated[
        bool, typer.Option(help="Split weights and optimizer between the launcher's processes (FSDP).")
    ] = False,
    threads: Annotated[
        int | None, typer.Option(help="CPU threads; sums differ in the last bit with their number.")
    ] = None,
) -> None:
    """Fine-tune a ranker: grades with rationales, then soft labels (equation 3). Ctrl-C saves; --resume goes on."""
    # Torch and transformers are imported here: `--help` stays quick.
    import torch

    from models.writing import copy_directory
    from training.components.machine import open_machine
    from training.components.stopping import stopping
    from training.judging.table import read_judgements
    from training.sft.run import Inputs, fine_tune

    config = override(_config(recipe, work), set_ or [])
    if threads:
        torch.set_num_threads(threads)
    machine = open_machine(device, os.environ, shard=shard)
    console = Console(stderr=True)
    with stopping() as stop, _progress(console, quiet=machine.rank > 0) as bar:
        given = Inputs(judged=judged, postings=postings, model=model, from_scratch=from_scratch)
        result = fine_tune(
            config,
            given,
            out,
            read_judgements(judged),
            wording=_wording(policy),
            machine=machine,
            stop=stop,
            watch=_watch(bar),
            resume=resume,
        )
    machine.close()
    if machine.rank == 0:
        if best_to and result.ended != "stopped":
            copy_directory(out / "best", best_to)
        _tell(console, result, out)
    if result.ended == "stopped":
        raise typer.Exit(128 + (stop.signal or 0))


def show_recipes() -> None:
    """The recipes for fine-tuning and pruning, every setting that differs from the defaults."""
    console = Console()
    for name in recipes.RECIPES:
        found = recipes.recipe(name)
        console.print(f"[bold]{name}[/]  {found.about}", highlight=False)
        for number, work in enumerate(found.works, 1):
            console.print(
                f"  {number}. {type(work).__name__}  {_differing(work)}",
                highlight=False,
                soft_wrap=True,
                markup=False,
            )


def _config(name: str, work: int) -> SftConfig:
    found = [each for each in recipes.recipe(name).works if isinstance(each, SftConfig)]
    if not 1 <= work <= len(found):
        msg = f"--work {work}: the recipe {name} has {len(found)} fine-tunings"
        raise ConfigError(msg)
    return found[work - 1]


def _wording(path: Path | None) -> "Wording":
    from training.judging.policy import MATCHING, load_policy
    from training.judging.rationales import SUFFIX, rationale_text
    from training.sft.examples import Wording

    policy = load_policy(path or MATCHING)
    return Wording(suffix=SUFFIX, text=lambda judgement: rationale_text(judgement, policy))


def _progress(console: Console, *, quiet: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=quiet)


def _watch(bar: Progress) -> "Watch":
    task = bar.add_task("reading", total=None)
    dev = ""

    def watch(metrics: "Metrics", total: int) -> None:
        nonlocal dev
        if metrics.dev_ndcg is not None:
            dev = f"  dev NDCG@10 {metrics.dev_ndcg:.4f}"
        loss = "" if metrics.loss is None else f"  loss {metrics.loss:.4f}"
        bar.update(task, total=total, completed=metrics.step, description=f"stage {metrics.stage}{loss}{dev}")

    return watch


def _tell(console: Console, result: "Result", out: Path) -> None:
    how = {
        "whole": "trained to the end",
        "early": "stopped early: dev NDCG@10 no longer rises",
        "stopped": "stopped; --resume goes on",
    }
    typer.echo(json.dumps(asdict(result)))
    console.print(f"{how[result.ended]} after step {result.steps}", highlight=False)
    if result.best_step:
        console.print(
            f"best: dev NDCG@10 {result.best_ndcg:.4f} after step {result.best_step}, in {out / 'best'}",
            highlight=False,
        )
    if importlib.util.find_spec("matplotlib") is None:
        console.print("no curves.png: matplotlib is not installed (extra `train`)", highlight=False)


def _differing(work: "recipes.Work | SftStage") -> str:
    """The settings that differ from the class's defaults, as name=value."""
    shown = []
    for field in fields(work):
        value = getattr(work, field.name)
        if field.name == "stages":
            shown += [
                f"stage {at}: {stage.objective} ({_differing(stage)})" for at, stage in enumerate(value)
            ]
        elif value != field.default:
            shown.append(f"{field.name}={value}")
    return ", ".join(shown)
