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
    summaries: Annotated[
        list[str] | None,
        typer.Option(
            help="Judge short texts instead: none, stop-words, lead, textrank, idf, a summarizer's directory, or "
            "summarize, yaml, phrases (--completions); may be given again."
        ),
    ] = None,
    share: Annotated[float, typer.Option(help="With --summaries: share of a text's tokens to keep.")] = 0.07,
    completions: Annotated[str, typer.Option(help="URL of a completions endpoint for the prompts.")] = "",
    completions_model: Annotated[str, typer.Option(help="The model's name there.")] = "summarizer",
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
        if summaries:
            _summaries(asked, (summaries, share, completions, completions_model), config, report)
            return
        found = _of_judged(asked, config)
    elif summaries:
        raise ConfigError("--summaries needs --judged FILE and --postings FILE")
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


def _summaries(
    request: EvaluationRequest,
    wanted: tuple[list[str], float, str, str],
    config: EvaluationConfig,
    report: Path | None,
) -> None:
    """Print the table of summaries that are `wanted`: names, share, and URL and model of a completions endpoint."""
    from training.evaluation import report as reports
    from training.rl.evaluate import SummaryRequest, evaluate_summaries, markdown

    names, share, url, model = wanted
    with progress() as begin:
        asked = SummaryRequest(names=tuple(names), share=share, url=url, model=model)
        found = evaluate_summaries(request, asked, config, begin)
    if report:
        reports.write(found, report)
    typer.echo(markdown(found))


@contextmanager
def progress() -> Iterator[Begin]:
    """Show a bar for each system on standard error; yields the function that adds one."""
    with progress_display(Console(stderr=True)) as bars:

        def begin(name: str, total: int) -> Callable[[int], None]:
            task = bars.add_task(name, total=total)
            return lambda count: bars.advance(task, count)

        yield begin
