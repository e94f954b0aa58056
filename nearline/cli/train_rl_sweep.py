"""`nearline train rl-sweep`: many reinforcement-learning runs side by side; torch is imported when they start."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nearline.cli import options
from nearline.cli.from_settings import from_settings
from schemas.errors import ConfigError
from schemas.settings import Option, Options
from training.evaluation.settings import RankerPlace

if TYPE_CHECKING:
    from training.rl.sweep.settings import SweepConfig, SweepInputs

_SHIPPED = options.CHECKPOINTS / "ranker-tiny"


@dataclass(frozen=True, slots=True, kw_only=True)
class GridOptions:
    """Which runs there are."""

    grid: Annotated[
        str,
        Option(
            "paper (the rows of its table 5), or a TOML file of lists or tables named rows; else the four lists."
        ),
    ] = ""
    algorithms: Annotated[
        str | None, Option("grpo, dr_grpo, gspo, with commas between; default: dr_grpo.")
    ] = None
    penalties: Annotated[str | None, Option("p1, p2, with a comma between; default: p2.")] = None
    weights: Annotated[str | None, Option("Weights w of the penalty, with commas between; default: 0.4.")] = (
        None
    )
    seeds: Annotated[str | None, Option("Seeds, with commas between; default: 1.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRun:
    """What all runs share, and where they go."""

    judged: Annotated[Path, Option("Judged Parquet or JSON Lines, whose held-out queries judge every run.")]
    out: Annotated[Path, Option("Directory of the sweep; the same command goes on there.")]
    model: Annotated[
        Path, Option("Extractive summarizer to start from, or a ranker whose first layers it begins with.")
    ] = _SHIPPED
    ranker: Annotated[
        str,
        Option(
            "Ranker that rewards: a checkpoint directory, or a model server's URL; default: the shipped one."
        ),
    ] = str(_SHIPPED)
    tokenizer: Annotated[Path, Option("For a URL: the checkpoint that is served there.")] = _SHIPPED
    recipe: Annotated[
        str, Option("rl_extractive or rl_paper: the settings that the grid does not decide.")
    ] = "rl_extractive"
    shares: Annotated[
        str, Option("Lengths at which every policy and baseline is judged, beside the recipe's own share.")
    ] = "0.3,0.15,0.1,0.05,0.03"
    baselines: Annotated[str, Option("Of none, stop-words, lead, textrank, idf, with commas between.")] = (
        "none,lead,textrank,idf"
    )
    split: Annotated[str, Option("Of the judged queries; runs learn from train and dev.")] = "test"
    processes: Annotated[int, Option("Runs at a time, each in a process of its own.", at_least=1)] = 1
    device: Annotated[str, Option("auto, cpu or cuda, of the summarizers and of rankers' directories.")] = (
        "cpu"
    )
    threads: Annotated[
        int | None, Option("CPU threads a process; sums differ in the last bit with their number.")
    ] = None
    of_grid: Annotated[GridOptions, Options("Grid")] = field(default_factory=GridOptions)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("rl-sweep")(rl_sweep)


@from_settings
def rl_sweep(
    run: SweepRun,
    *,
    postings: Annotated[
        list[Path], typer.Option(help="Postings, JSON Lines, gzipped or not; may be given again.")
    ],
    also: Annotated[
        list[Path] | None,
        typer.Option(
            help="Checkpoint directory of another ranker that reads the summaries; may be given again."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="name=value over the recipe's; steps=20.")
    ] = None,
) -> None:
    """Train a summarizer for each algorithm, penalty, weight and seed, and judge each on held-out queries."""
    from training.components.stopping import stopping
    from training.evaluation.compression.page import trained_table
    from training.rl.sweep.runs import Sweep
    from training.rl.sweep.sweeping import sweep

    whole = Sweep(config=_config(run, set_ or []), given=_inputs(run, postings, also or []), out=run.out)
    with stopping() as stop:
        found = sweep(whole, stop, processes=run.processes, threads=run.threads)
    if found is None:
        raise typer.Exit(128 + (stop.signal or 0))
    typer.echo("\n".join(trained_table(found)))
    typer.echo(f"all figures: {run.out / 'results.json'}; page and plot: {run.out / 'frontier.md'}", err=True)


def _config(run: SweepRun, changes: list[str]) -> "SweepConfig":
    from training.rl.baselines.opening import WORDS
    from training.rl.config import override, recipe
    from training.rl.sweep.grid import AXES, read_grid
    from training.rl.sweep.settings import DECIDED, SweepConfig

    decided = [change for change in changes if change.partition("=")[0] in DECIDED]
    if decided:
        raise ConfigError(f"--set {decided[0]}: the grid decides that (--grid, or --{', --'.join(AXES)})")
    baselines = tuple(dict.fromkeys(_parts(run.baselines)))
    if unknown := [name for name in baselines if name not in WORDS]:
        raise ConfigError(f"--baselines {unknown[0]!r}: there are {', '.join(WORDS)}")
    return SweepConfig(
        grid=read_grid(run.of_grid.grid, {name: getattr(run.of_grid, name) for name in AXES}),
        run=override(recipe(run.recipe).config, changes),
        shares=_shares(run.shares),
        baselines=baselines,
        split=run.split,
    )


def _inputs(run: SweepRun, postings: list[Path], also: list[Path]) -> "SweepInputs":
    from training.rl.run import RlInputs
    from training.rl.sweep.settings import SweepInputs

    place = RankerPlace(name=run.ranker, tokenizer=run.tokenizer, device=run.device)
    return SweepInputs(
        run=RlInputs(model=run.model, ranker=place, postings=tuple(postings), device=run.device),
        judged=run.judged,
        also=tuple(RankerPlace(name=str(path), device=run.device) for path in also),
    )


def _shares(given: str) -> tuple[float, ...]:
    try:
        return tuple(dict.fromkeys(float(part) for part in _parts(given)))
    except ValueError as error:
        raise ConfigError(f"--shares {given!r}: give numbers with commas between ({error})") from error


def _parts(given: str) -> list[str]:
    return [part.strip() for part in given.split(",") if part.strip()]
