"""`nearline serve`: the model server."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from models.server import Limits, ServeConfig
from models.server import serve as run_server
from nearline.cli import options

DEFAULT = ServeConfig()
LIMITS = DEFAULT.limits
BATCHING = DEFAULT.ranker_batching
REQUEST = "Limits of one request"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(serve)


def serve(
    *,
    ranker: Annotated[Path | None, typer.Option(help="Checkpoint directory of the ranker.")] = None,
    summarizer: Annotated[Path | None, typer.Option(help="Checkpoint directory of the summarizer.")] = None,
    port: Annotated[int, typer.Option(help="Port.")] = DEFAULT.port,
    host: Annotated[
        str, typer.Option(help="Address; anyone who reaches it may ask: in a pod 0.0.0.0.")
    ] = DEFAULT.host,
    threads: Annotated[
        int, typer.Option(help="Processor threads of a model; 0: one a core.")
    ] = DEFAULT.threads,
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16 or int8 (CPU).")] = DEFAULT.dtype,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = DEFAULT.device,
    drain_s: Annotated[
        int, typer.Option(help="How long requests in hand may take after SIGTERM.")
    ] = DEFAULT.drain_s,
    batch_tokens: Annotated[
        int, typer.Option(help="Tokens of one batch of the ranker.")
    ] = BATCHING.batch_tokens,
    queue_tokens: Annotated[
        int, typer.Option(help="Tokens that may wait for the ranker; more is answered 503.")
    ] = BATCHING.queue_tokens,
    max_items: Annotated[int, typer.Option(help="Items or prompts.", rich_help_panel=REQUEST)] = LIMITS.items,
    max_request_tokens: Annotated[
        int, typer.Option(help="Tokens, the query counted once.", rich_help_panel=REQUEST)
    ] = LIMITS.request_tokens,
    max_labels: Annotated[
        int, typer.Option(help="Labels of one item.", rich_help_panel=REQUEST)
    ] = LIMITS.labels,
    max_body_bytes: Annotated[
        int, typer.Option(help="Bytes of its body; more is answered 413.", rich_help_panel=REQUEST)
    ] = LIMITS.body_bytes,
    max_deadline_s: Annotated[
        float, typer.Option(help="Seconds, whatever its x-deadline-ms says.", rich_help_panel=REQUEST)
    ] = LIMITS.deadline_s,
) -> None:
    """Host a ranker and a summarizer (the shipped ones, unless other directories are given) behind SGLang's routes."""
    if ranker is None and summarizer is None:
        ranker, summarizer = options.CHECKPOINTS / "ranker-tiny", options.CHECKPOINTS / "summarizer-tiny"
    run_server(
        ServeConfig(
            ranker=ranker,
            summarizer=summarizer,
            port=port,
            host=host,
            threads=threads,
            dtype=dtype,
            device=device,
            drain_s=drain_s,
            ranker_batching=replace(BATCHING, batch_tokens=batch_tokens, queue_tokens=queue_tokens),
            limits=Limits(
                items=max_items,
                request_tokens=max_request_tokens,
                labels=max_labels,
                body_bytes=max_body_bytes,
                deadline_s=max_deadline_s,
            ),
        )
    )
