"""`nearline evaluate`: how well a ranker orders judged postings, beside baselines."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from models.engine.kernel_cache import kernel_cache
from models.engine.kernel_choice import kernel_choice
from nearline.cli import options
from nearline.cli.from_settings import from_settings
from nearline.cli.progress import progress_display
from schemas.errors import ConfigError
from training.evaluation.settings import Begin, EvaluationConfig, EvaluationRequest, RankerPlace

if TYPE_CHECKING:
    from training.evaluation.report import EvaluationReport

_SHIPPED = options.CHECKPOINTS / "ranker-tiny"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(evaluate)


@from_settings
def evaluate(
    request: partial[EvaluationRequest],
    place: partial[RankerPlace],
    config: EvaluationConfig,
    *,
    judged: Annotated[
        Path | None, typer.Option(help="Judged Parquet, or JSON Lines {query, items: [{id, grade}]}.")
    ] = None,
    postings: Annotated[
        list[Path] | None, typer.Option(help="Postings of the judged ids, JSON Lines; may be given again.")
    ] = None,
    ranker: Annotated[
        str, typer.Option(help="Checkpoint directory, or a model server's URL; default: the shipped one.")
    ] = str(_SHIPPED),
    tokenizer: Annotated[
        Path, typer.Option(help="For a URL: the checkpoint that is served; default: the shipped one.")
    ] = _SHIPPED,
    qrels: Annotated[Path | None, typer.Option(help="TREC judgements, instead of --judged.")] = None,
    run: Annotated[list[Path] | None, typer.Option(help="TREC run to judge; may be given again.")] = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option(help="Checkpoint directory of another ranker to compare with; may be given again."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write means, intervals and per-query values as JSON.")
    ] = None,
) -> None:
    """Measure NDCG@10, poor matches, AUC and calibration of a ranker beside baselines, with paired intervals."""
    from training.evaluation import report as reports
    from training.evaluation.table import WIDTH, tables

    if qrels and run and not judged:
        found = _of_runs(qrels, run, config)
    elif judged and postings and not (qrels or run):
        kernels = {"kernel_cache": kernel_cache(os.environ), "kernels": kernel_choice(os.environ)}
        placed = place(name=ranker, tokenizer=tokenizer, **kernels)
        asked = request(judged=judged, postings=tuple(postings), ranker=placed, beside=tuple(beside or ()))
        found = _of_judged(asked, config)
    else:
        raise ConfigError("give --judged FILE and --postings FILE, or --qrels FILE and --run FILE")
    if report:
        reports.write(found, report)
    Console(width=WIDTH, highlight=False).print(tables(found))


def _of_runs(qrels: Path, runs: list[Path], config: EvaluationConfig) -> EvaluationReport:
    from training.evaluation.run import evaluate_runs

    return evaluate_runs(qrels, runs, config)


def _of_judged(request: EvaluationRequest, config: EvaluationConfig) -> EvaluationReport:
    from training.evaluation.run import evaluate as evaluate_judged

    with progress() as begin:
        return evaluate_judged(request, config, begin)


@contextmanager
def progress() -> Iterator[Begin]:
    """Show a bar for each system on standard error; yields the function that adds one."""
    with progress_display(Console(stderr=True)) as bars:

        def begin(name: str, total: int) -> Callable[[int], None]:
            task = bars.add_task(name, total=total)
            return lambda count: bars.advance(task, count)

        yield begin
