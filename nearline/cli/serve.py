"""`nearline serve`: the model server."""

import os
from dataclasses import replace

import typer

from models.engine.kernel_cache import kernel_cache
from models.engine.kernel_choice import kernel_choice
from models.server import ServeConfig
from models.server import serve as run_server
from nearline.cli import options
from nearline.cli.from_settings import from_settings


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(serve)


@from_settings
def serve(config: ServeConfig) -> None:
    """Serve ranker, summarizer and embedder from Hugging Face checkpoints by SGLang's routes; default: the shipped."""
    given = config.ranker or config.summarizer or config.embedder
    if given is None and not config.instant:
        shipped = options.shipped()
        config = replace(
            config,
            ranker=shipped["ranker"],
            summarizer=shipped["summarizer"],
            embedder=shipped.get("embedder"),
        )
    kernels = kernel_choice(os.environ)
    run_server(replace(config, kernel_cache=kernel_cache(os.environ), kernels=kernels))
