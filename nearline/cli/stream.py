"""`nearline demo | replay | generate`."""

import json
import os
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from nearline.cli import options
from schemas.errors import ConfigError
from schemas.events import read_events, read_searches
from storage.couchbase.url import with_login

_SAMPLE = Path(__file__).parents[1] / "sample"

Stream = Annotated[Path, typer.Option(help="Events or postings, JSON Lines, plain or .gz.")]
Searches = Annotated[Path, typer.Option(help="Saved searches, JSON Lines.")]
Rate = Annotated[float, typer.Option(help="Updates per second; 0 = as fast as the broker takes them.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command()(demo)
    app.command()(replay)
    app.command()(generate)


def demo(
    stream: Stream = _SAMPLE / "stream.jsonl",
    searches: Searches = _SAMPLE / "searches.jsonl",
    rate: Rate = 25.0,
    home: Annotated[Path, typer.Option(help="Folder of the demo's stack; emptied first.")] = Path(
        "build/demo"
    ),
    port_base: options.PortBase = options.PORT_BASE,
    models: options.Models = options.MODELS,
    store: options.StoreUrl = None,
    *,
    schema_registry: options.SchemaRegistry = "",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the stack running afterwards.")] = False,
    setup_started: Annotated[float | None, typer.Option(hidden=True)] = None,
) -> None:
    """Start a stack, replay a stream with its saved searches, show alerts and figures, and stop the stack."""
    from nearline.demo import run, view  # Kafka and Flink parts

    console = Console()
    stack = options.stack_settings(home, port_base, models, store, schema_registry)
    settings = run.DemoSettings(
        stream=_existing(stream),
        searches=_existing(searches),
        rate_per_s=rate,
        report=home / "report.json",
        keep=keep,
        registry=options.registry(schema_registry),
        store_url=with_login(stack.store_url, os.environ),
    )
    report = run.run(settings, stack, console, setup_started or time.time())
    view.closing(console, report)
    hint = "" if stack.hosts_couchbase and not keep else "; look inside with `nearline store dump`"
    console.print(f"written to {settings.report}{hint}")
    raise typer.Exit(1 if report.unexplained else 0)


def replay(
    stream: Annotated[Path, typer.Argument(help="Events or postings, JSON Lines, plain or .gz.")],
    searches: Annotated[Path | None, typer.Option(help="Saved searches, JSON Lines.")] = None,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="One process, no Kafka, no Flink.")
    ] = False,
    rate: Rate = 0.0,
    store: Annotated[str, typer.Option(help="With --in-process: where the features go.")] = "memory:",
    models: Annotated[
        str, typer.Option(help="With --in-process: `instant` or a model server's URL.")
    ] = "instant",
    schema_registry: Annotated[
        str | None,
        typer.Option(help="Send in Confluent framing; default: as the running stack was told."),
    ] = None,
    bootstrap: Annotated[
        str, typer.Option(help="Kafka brokers, HOST:PORT,...; default: the running local stack's.")
    ] = "",
    home: options.Home = None,
) -> None:
    """Send a stream to the running stack or to any brokers, or run the same functions on it in this process."""
    console = Console()
    if in_process:
        from nearline.cli.local_parts import replay_in_process

        replay_in_process(_existing(stream), searches, store, models, console)
        return
    from streaming.kafka.framing import open_codec
    from streaming.kafka.settings import KafkaSettings
    from streaming.tools.replay import WRITES, replay_updates, send_searches

    stack = None if bootstrap else options.running_stack(home)
    kafka = KafkaSettings.from_env(os.environ, bootstrap=stack.bootstrap if stack else bootstrap)
    told = stack.schema_registry if stack else ""
    url = told if schema_registry is None else schema_registry
    with closing(open_codec(options.registry(url), WRITES)) as codec:
        if searches is not None:
            count = send_searches(kafka, read_searches(_existing(searches)), codec)
            console.print(f"{count} searches sent")
        with console.status("sending …") as status:
            sent = replay_updates(
                kafka,
                read_events(_existing(stream)),
                rate_per_s=rate,
                on_progress=lambda progress: (
                    status.update(f"sent {progress.sent}") if progress.sent % 100 == 0 else None
                ),
                codec=codec,
            )
    console.print(f"{sent.sent} updates sent, {sent.broken} of them broken lines")


def generate(
    postings: Annotated[int, typer.Option(help="Postings to invent.")] = 1000,
    events: Annotated[int, typer.Option(help="Events over those postings.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Same seed, same stream.")] = 0,
) -> None:
    """Print an invented update stream as JSON Lines, for load tests."""
    from training.synthetic import generate_events

    for event in generate_events(postings, events, seed):
        sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\n")


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ConfigError(f"no such file: {path}")
    return path
