"""`nearline train embedder` and `nearline train retrieval`: make an embedder, and measure what it retrieves."""

import json
from pathlib import Path
from typing import Annotated

import typer

from nearline.cli import options
from nearline.cli.from_settings import from_settings
from schemas.errors import ConfigError
from training.embedder.retrieval.settings import RetrievalConfig
from training.embedder.settings import EmbedderTraining
from training.tiny.settings import RealData


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("embedder")(embedder)
    app.command("retrieval")(retrieval)


@from_settings
def embedder(run: EmbedderTraining) -> None:
    """Train an embedder on the rules' grades, the ranker's scores and MiniLM's vectors (docs/training.md)."""
    from training.embedder.opening import train_embedder
    from training.tiny.ranker.progress import RunStopped

    try:
        train_embedder(run, _say)
    except ImportError as error:
        raise ConfigError(f"{error}: pip install 'nearline-job-search[train]'") from error
    except RunStopped as stopped:
        _say(str(stopped))
        raise typer.Exit(128 + (stopped.signal or 0)) from stopped


@from_settings
def retrieval(
    config: RetrievalConfig,
    real: RealData,
    *,
    embedder: Annotated[Path, typer.Option(help="Checkpoint directory; default: the shipped one.")] = (
        options.CHECKPOINTS / "embedder-tiny"
    ),
    ranker: Annotated[Path, typer.Option(help="Ranker of what is retrieved; default: the shipped one.")] = (
        options.CHECKPOINTS / "ranker-tiny"
    ),
    summarizer: Annotated[Path, typer.Option(help="Extractive summarizer of the postings.")] = (
        options.CHECKPOINTS / "summarizer-tiny"
    ),
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Derive the card's threshold: the cosine at which dev queries have this share of the lexical matcher's "
            "candidates. Written into the checkpoint."
        ),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write all figures as JSON.")] = None,
) -> None:
    """Measure recall@100 and NDCG@10 of an embedder beside BM25, MiniLM and both fused, over whole test splits."""
    from training.embedder.retrieval.opening import measured
    from training.embedder.retrieval.report import markdown

    found = measured(config, real, (embedder, ranker, summarizer), threshold, _say)
    if report:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    typer.echo(markdown(found))


def _say(line: str) -> None:
    typer.echo(line, err=True)
