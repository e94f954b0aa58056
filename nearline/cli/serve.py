"""`nearline serve`: the model server."""

from pathlib import Path
from typing import Annotated

import typer

from models.server import ServeConfig
from models.server import serve as run_server
from nearline.cli import options


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(serve)


def serve(
    ranker: Annotated[Path | None, typer.Option(help="Checkpoint directory of the ranker.")] = None,
    summarizer: Annotated[Path | None, typer.Option(help="Checkpoint directory of the summarizer.")] = None,
    port: Annotated[int, typer.Option(help="Port.")] = ServeConfig().port,
    host: Annotated[
        str, typer.Option(help="Address; anyone who reaches it may ask: in a pod 0.0.0.0.")
    ] = ServeConfig().host,
) -> None:
    """Host a ranker and a summarizer from Hugging Face checkpoint directories behind SGLang's routes (default: the shipped ones)."""
    if ranker is None and summarizer is None:
        ranker, summarizer = options.CHECKPOINTS / "ranker-tiny", options.CHECKPOINTS / "summarizer-tiny"
    run_server(ServeConfig(ranker=ranker, summarizer=summarizer, port=port, host=host))
