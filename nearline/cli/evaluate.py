"""`nearline evaluate`: how well a ranker orders judged postings, beside baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from nearline.cli import options
from schemas.errors import ConfigError
from training.evaluation.settings import (
    Begin,
    BootstrapConfig,
    EvaluationConfig,
    EvaluationRequest,
    MetricConfig,
    RankerPlace,
)

METRICS, BOOTSTRAP = MetricConfig(), BootstrapConfig()

_SHIPPED = options.CHECKPOINTS / "ranker-tiny"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(evaluate)


def evaluate(
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
    baselines: Annotated[
        str | None,
        typer.Option(
            help="Of no-description,bm25,bm25-title,minilm,random; default: all that are installed."
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="train, dev, test or all; rows without one are test.")] = "test",
    qrels: Annotated[Path | None, typer.Option(help="TREC judgements, instead of --judged.")] = None,
    run: Annotated[list[Path] | None, typer.Option(help="TREC run to judge; may be given again.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write means, intervals and per-query values as JSON.")
    ] = None,
    save_run: Annotated[
        Path | None, typer.Option(help="Write the ranker's TREC run, and the qrels as FILE.qrels.")
    ] = None,
    k: Annotated[int, typer.Option(min=1, help="Where lists are cut.")] = METRICS.k,
    relevant: Annotated[
        int, typer.Option(min=1, max=4, help="Least grade that AUC takes for a yes.")
    ] = METRICS.relevant,
    resamples: Annotated[
        int, typer.Option(min=100, help="Bootstrap resamples of the queries.")
    ] = BOOTSTRAP.resamples,
    seed: Annotated[int, typer.Option(min=0, help="Of the resamples.")] = BOOTSTRAP.seed,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    cache: Annotated[Path | None, typer.Option(help="Folder in which MiniLM's vectors are kept.")] = None,
) -> None:
    """NDCG@10, poor matches, AUC and calibration of a ranker beside baselines, with paired intervals."""
    from training.evaluation import report as reports  # torch: a second
    from training.evaluation.run import evaluate as evaluate_judged
    from training.evaluation.run import evaluate_runs
    from training.evaluation.table import WIDTH, tables

    config = EvaluationConfig(
        metrics=MetricConfig(k=k, relevant=relevant),
        bootstrap=BootstrapConfig(resamples=resamples, seed=seed),
    )
    if qrels and run and not judged:
        found = evaluate_runs(qrels, run, config)
    elif judged and postings and not (qrels or run):
        request = EvaluationRequest(
            judged=judged,
            postings=tuple(postings),
            ranker=RankerPlace(name=ranker, tokenizer=tokenizer, device=device),
            baselines=baselines,
            split=split,
            save_run=save_run,
            cache=cache,
        )
        with progress() as begin:
            found = evaluate_judged(request, config, begin)
    else:
        raise ConfigError("give --judged FILE and --postings FILE, or --qrels FILE and --run FILE")
    if report:
        reports.write(found, report)
    Console(width=WIDTH, highlight=False).print(tables(found))


@contextmanager
def progress() -> Iterator[Begin]:
    """A bar for each system, on stderr."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:

        def begin(name: str, total: int) -> Callable[[int], None]:
            task = bars.add_task(name, total=total)
            return lambda count: bars.advance(task, count)

        yield begin
