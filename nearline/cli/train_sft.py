"""`nearline train sft` and `nearline train recipes`; torch and transformers are imported when a run starts."""

import importlib.util
import json
import os
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from nearline.cli.from_settings import from_settings
from nearline.cli.progress import progress_display
from schemas.errors import ConfigError
from schemas.settings import Option
from training import recipes
from training.sft.config import AdapterConfig, SftConfig, SftStage
from training.sft.overrides import override

if TYPE_CHECKING:
    from training.components.machine import Machine
    from training.components.run_directory import Metrics
    from training.components.stopping import Stop
    from training.sft.examples import Wording
    from training.sft.loop import SftResult, Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class SftRun:
    """What is fine-tuned on what, by which recipe, and where it goes."""

    judged: Annotated[Path, Option("Judged Parquet with rows in the splits train and dev.")]
    postings: Annotated[Path, Option("Postings, JSON Lines, gzipped or not.")]
    model: Annotated[Path, Option("Checkpoint directory to start from.")]
    out: Annotated[Path, Option("Run directory: configuration, metrics, curves, checkpoints, best/.")]
    best_to: Annotated[
        Path | None, Option("Also put the best model here: a stock Hugging Face directory.")
    ] = None
    recipe: Annotated[str, Option("A name that `nearline train recipes` lists.")] = "ranker_tiny"
    work: Annotated[int, Option("Which fine-tuning of a recipe that has several, from 1 on.")] = 1
    policy: Annotated[
        Path | None, Option("Policy that rationales are worded by; default: the shipped one.")
    ] = None
    from_scratch: Annotated[
        bool,
        Option(
            "Take only the directory's shape and tokenizer; new weights.", "--from-scratch/--no-from-scratch"
        ),
    ] = False
    resume: Annotated[
        bool, Option("Go on from the last checkpoint of --out, if there is one.", "--resume/--no-resume")
    ] = False
    adapter: Annotated[
        bool,
        Option(
            "Train a low-rank adapter and leave the model's own weights as they are (settings: adapter.rank, …).",
            "--adapter/--no-adapter",
        ),
    ] = False
    device: Annotated[str, Option("auto, cpu, cuda or cuda:N.")] = "auto"
    shard: Annotated[
        bool,
        Option("Split weights and optimizer between the launcher's processes (FSDP).", "--shard/--no-shard"),
    ] = False
    threads: Annotated[int | None, Option("CPU threads; sums differ in the last bit with their number.")] = (
        None
    )


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command()(sft)
    app.command("recipes")(show_recipes)


@from_settings
def sft(
    run: SftRun,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="name=value over the recipe's; stages.1.rate=1e-5 for one stage."),
    ] = None,
) -> None:
    """Fine-tune a ranker: grades with rationales, then soft labels (equation 3). Ctrl-C saves; --resume goes on."""
    # Torch and transformers are imported here, so that `--help` is quick.
    from models.writing import copy_directory
    from training.components.stopping import stopping

    config, console = override(_config(run), set_ or []), Console(stderr=True)
    machine = _machine(run)
    with stopping() as stop, progress_display(console, quiet=machine.rank > 0) as bar:
        result = _fine_tuned(run, config, machine, stop, _watch(bar))
    machine.close()
    if machine.rank == 0:
        if run.best_to and result.ended != "stopped":
            copy_directory(run.out / "best", run.best_to)
        _tell(console, result, run.out)
    if result.ended == "stopped":
        raise typer.Exit(128 + (stop.signal or 0))


def show_recipes() -> None:
    """List the recipes for fine-tuning and pruning, with every setting that differs from the defaults."""
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


def _machine(run: SftRun) -> "Machine":
    import torch

    from training.components.machine import open_machine

    if run.threads:
        torch.set_num_threads(run.threads)
    return open_machine(run.device, os.environ, shard=run.shard)


def _fine_tuned(
    run: SftRun, config: SftConfig, machine: "Machine", stop: "Stop", watch: "Watch"
) -> "SftResult":
    from training.evaluation.domains import untaught
    from training.judging.table import read_judgements
    from training.sft.run import Inputs, fine_tune

    judgements = list(read_judgements(run.judged))
    for warning in untaught(judgements) if machine.rank == 0 else ():
        typer.echo(warning, err=True)
    given = Inputs(judged=run.judged, postings=run.postings, model=run.model, from_scratch=run.from_scratch)
    return fine_tune(
        config,
        given,
        run.out,
        judgements,
        wording=_wording(run.policy),
        machine=machine,
        stop=stop,
        watch=watch,
        resume=run.resume,
    )


def _config(run: SftRun) -> SftConfig:
    found = [each for each in recipes.recipe(run.recipe).works if isinstance(each, SftConfig)]
    if not 1 <= run.work <= len(found):
        msg = f"--work {run.work}: the recipe {run.recipe} has {len(found)} fine-tunings"
        raise ConfigError(msg)
    config = found[run.work - 1]
    return replace(config, adapter=config.adapter or AdapterConfig()) if run.adapter else config


def _wording(path: Path | None) -> "Wording":
    from training.judging.policy import MATCHING, load_policy
    from training.judging.rationales import SUFFIX, rationale_text
    from training.sft.examples import Wording

    policy = load_policy(path or MATCHING)
    return Wording(suffix=SUFFIX, text=lambda judgement: rationale_text(judgement, policy))


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


def _tell(console: Console, result: "SftResult", out: Path) -> None:
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
            markup=False,
        )
    if importlib.util.find_spec("matplotlib") is None:
        console.print("no curves.png: matplotlib is not installed (extra `train`)", highlight=False)


def _differing(work: "recipes.Work | SftStage") -> str:
    """The settings that differ from their class's defaults, as name=value."""
    shown = []
    for field in fields(work):
        value = getattr(work, field.name)
        if field.name == "stages":
            shown += [
                f"stage {at}: {stage.objective} ({_differing(stage)})" for at, stage in enumerate(value)
            ]
        elif is_dataclass(value):
            shown.append(f"{field.name} ({_differing(value) or 'as by default'})")  # type: ignore[arg-type]
        elif value != field.default:
            shown.append(f"{field.name}={value}")
    return ", ".join(shown)
