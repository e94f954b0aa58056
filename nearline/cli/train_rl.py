"""`nearline train rl`: teach a summarizer what the ranker needs; torch is imported when a run starts."""

import importlib.util
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import Progress

from nearline.cli import options
from nearline.cli.from_settings import from_settings
from nearline.cli.progress import progress_display
from schemas.errors import ConfigError, ModelError
from schemas.settings import Option

if TYPE_CHECKING:
    from training.evaluation.settings import RankerPlace
    from training.rl.config import RlConfig
    from training.rl.loop import RlResult, Watch
    from training.rl.measuring import RlMetrics
    from training.rl.run import RlInputs

_SHIPPED = options.CHECKPOINTS / "ranker-tiny"


@dataclass(frozen=True, slots=True, kw_only=True)
class RlRun:
    """What is taught by which ranker, and where it goes."""

    out: Annotated[
        Path, Option("Run directory: configuration, metrics, curves, samples, checkpoints, best/.")
    ]
    model: Annotated[
        Path,
        Option(
            "Extractive summarizer to start from, or a ranker whose first layers it begins with; "
            "for a generative actor a causal language model."
        ),
    ] = _SHIPPED
    ranker: Annotated[
        str,
        Option("Frozen ranker: a checkpoint directory, or a model server's URL; default: the shipped one."),
    ] = str(_SHIPPED)
    tokenizer: Annotated[Path, Option("For a URL: the checkpoint that is served there.")] = _SHIPPED
    judged: Annotated[Path | None, Option("Judged Parquet, for --set reward.grade_weight=….")] = None
    backend: Annotated[
        Literal["local", "verl"],
        Option(
            "local: one process, on CPU or GPU; verl: write a run for verl, which trains a generative actor "
            "in an environment of its own."
        ),
    ] = "local"
    gpus: Annotated[int, Option("verl: GPUs of a machine.", at_least=1)] = 8
    nodes: Annotated[int, Option("verl: machines.", at_least=1)] = 1
    rollout_gpus: Annotated[
        int, Option("verl: GPUs over which SGLang spreads one copy of the model.", at_least=1)
    ] = 1
    recipe: Annotated[str, Option("rl_extractive, rl_generative or rl_smollm2.")] = "rl_extractive"
    best_to: Annotated[Path | None, Option("Also put the best summarizer here.")] = None
    resume: Annotated[
        bool, Option("Go on from the last checkpoint of --out, if there is one.", "--resume/--no-resume")
    ] = False
    device: Annotated[str, Option("auto, cpu or cuda, of the summarizer and of a ranker's directory.")] = (
        "cpu"
    )
    threads: Annotated[int | None, Option("CPU threads; sums differ in the last bit with their number.")] = (
        None
    )


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(rl)


@from_settings
def rl(
    run: RlRun,
    postings: Annotated[
        list[Path], typer.Option(help="Postings, JSON Lines, gzipped or not; may be given again.")
    ],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="name=value over the recipe's; reward.w=2.")
    ] = None,
) -> None:
    """Teach a summarizer by reinforcement learning (equations 4 to 6). Ctrl-C saves; --resume goes on."""
    import torch

    from models.writing import copy_directory
    from training.components.stopping import stopping
    from training.evaluation.settings import RankerPlace
    from training.rl.config import override, recipe
    from training.rl.run import RlInputs, reinforce

    if run.threads:
        torch.set_num_threads(run.threads)
    config, console = override(recipe(run.recipe).config, set_ or []), Console(stderr=True)
    place = RankerPlace(name=run.ranker, tokenizer=run.tokenizer, device=run.device)
    given = RlInputs(
        model=run.model, ranker=place, postings=tuple(postings), judged=run.judged, device=run.device
    )
    if run.backend == "verl":
        _write_for_verl(config, given, run, console)
        return
    with stopping() as stop, progress_display(console) as bar:
        result = reinforce(
            config,
            given,
            run.out,
            stop=stop,
            watch=_watch(bar),
            resume=run.resume,
        )
    if result.ended == "whole":
        _measure_drift(run.out / "best", place, postings, console)
    if run.best_to and result.ended == "whole":
        copy_directory(run.out / "best", run.best_to)
    _tell(console, result, run.out)
    if result.ended == "stopped":
        raise typer.Exit(128 + (stop.signal or 0))


def _write_for_verl(config: "RlConfig", given: "RlInputs", run: RlRun, console: Console) -> None:
    from training.rl.verl_backend.settings import Machines
    from training.rl.verl_backend.write import write_run

    if run.best_to or run.resume:
        raise ConfigError(
            "--backend verl takes neither --best-to nor --resume: its launcher goes on by itself"
        )
    machines = Machines(gpus=run.gpus, nodes=run.nodes, rollout_gpus=run.rollout_gpus)
    with console.status("scoring raw texts"):
        count = write_run(config, given, run.out, machines)
    console.print(
        f"a run over {count} postings is in {run.out}. In an environment with {run.out / 'requirements.txt'} "
        f"and SGLang: python -m training.rl.verl_backend.launch {run.out}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _measure_drift(best: Path, ranker: "RankerPlace", postings: list[Path], console: Console) -> None:
    """Write the drift monitor's thresholds; postings that are too few for them are no failure of the run."""
    from training.rl.drift import drift_thresholds

    try:
        drift_thresholds(best, ranker, postings)
    except (ConfigError, ModelError) as error:
        console.print(
            f"no drift thresholds: {error}; `nearline train drift --summarizer {best}` derives them later",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def _watch(bar: Progress) -> "Watch":
    task = bar.add_task("reading postings", total=None)
    dev = ""

    def watch(metrics: "RlMetrics", total: int) -> None:
        nonlocal dev
        if metrics.dev_kl is not None:
            dev = f"  dev KL {metrics.dev_kl:.4f} at {metrics.dev_share:.1%}"
        now = "" if metrics.reward is None else f"reward {metrics.reward:.4f}  share {metrics.share:.1%}"
        lost = f"  {metrics.lost} lost" if metrics.lost else ""
        bar.update(task, total=total, completed=metrics.step, description=f"{now}{dev}{lost}")

    return watch


def _tell(console: Console, result: "RlResult", out: Path) -> None:
    typer.echo(json.dumps(asdict(result)))
    how = "trained to the end" if result.ended == "whole" else "stopped; --resume goes on,"
    console.print(f"{how} after step {result.steps}", highlight=False)
    console.print(
        f"dev KL to raw text: {result.start_kl:.4f} at the start, {result.best_kl:.4f} after step "
        f"{result.best_step}, in {out / 'best'}; summaries before and after in {out / 'samples.md'}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    if importlib.util.find_spec("matplotlib") is None:
        console.print("no curves.png: matplotlib is not installed (extra `train`)", highlight=False)
