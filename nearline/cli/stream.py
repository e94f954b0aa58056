"""`nearline demo | replay | generate`."""

import json
import os
import sys
import time
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from nearline.cli import options
from nearline.cli.from_settings import from_settings
from nearline.cli.full_export import full_export, planned
from nearline.cli.reading import ReadFile
from nearline.shown import cell
from nearline.stack.settings import StackSettings
from pipeline.featurize import MAX_AHEAD_S
from pipeline.full_export import FullExport
from schemas.errors import ConfigError
from schemas.events import DOCUMENTED, EventFormat, NumberedEvents, read_events, read_searches
from schemas.settings import Option, Options
from storage.couchbase.url import with_login
from storage.features import FeatureStore
from storage.opening import open_store
from streaming.kafka.settings import KafkaSettings

if TYPE_CHECKING:
    from streaming.tools.replay import ReplayProgress

_SAMPLE = Path(__file__).parents[1] / "sample"

Stream = Annotated[Path, typer.Option(help="Events or postings, JSON Lines, plain or .gz.")]
Searches = Annotated[Path, typer.Option(help="Saved searches, JSON Lines.")]
Rate = Annotated[float, typer.Option(help="Updates per second; 0 = as fast as the broker takes them.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command()(demo)
    app.command()(replay)
    app.command()(generate)


@from_settings
def demo(
    made: partial[StackSettings],
    stream: Stream = _SAMPLE / "stream.jsonl",
    searches: Searches = _SAMPLE / "searches.jsonl",
    rate: Rate = 25.0,
    home: Annotated[Path, typer.Option(help="Folder of the demo's stack; emptied first.")] = Path(
        "build/demo"
    ),
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the stack running afterwards.")] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="No stack: judge the shipped models' alerts by pairs.jsonl beside the searches."
        ),
    ] = False,
    setup_started: Annotated[float | None, typer.Option(hidden=True)] = None,
) -> None:
    """Start a stack, replay a stream with its saved searches, show alerts and figures, and stop the stack."""
    from nearline.demo import run, view

    console = Console()
    if check:
        _check(_existing(stream), _existing(searches), console)
        return
    stack = options.checked(made(home=home))
    settings = run.DemoSettings(
        stream=_existing(stream),
        searches=_existing(searches),
        rate_per_s=rate,
        report=home / "report.json",
        keep=keep,
        threshold=options.default_threshold(stack.ranker_dir),
        registry=options.registry(stack.schema_registry),
        store_url=with_login(stack.store_url, os.environ),
    )
    report = run.run(settings, stack, console, setup_started or time.time())
    view.closing(console, report)
    hint = "" if stack.hosts_couchbase and not keep else "; look inside with `nearline store dump`"
    console.print(f"written to {settings.report}{hint}", markup=False)
    raise typer.Exit(1 if report.unexplained else 0)


def _check(stream: Path, searches: Path, console: Console) -> None:
    """Replay in this process with the shipped models, and print which alerts are right."""
    from models.server.in_process import InProcessRanker, InProcessSummarizer
    from nearline.demo.check import alerts_of, pairs_beside, show
    from nearline.demo.pairs import check, read_pairs

    ranker = options.CHECKPOINTS / "ranker-tiny"
    pairs = read_pairs(_existing(pairs_beside(searches)))
    found = alerts_of(
        read_searches(searches, options.default_threshold(ranker)),
        read_events(stream),
        InProcessSummarizer(options.CHECKPOINTS / "summarizer-tiny"),
        InProcessRanker(ranker),
    )
    show(check(found, pairs), pairs, console)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRun:
    """What `nearline replay` sends, and where to."""

    stream: Annotated[Path, Option("Events or postings, JSON Lines, plain or .gz.", positional=True)]
    searches: Annotated[Path | None, Option("Saved searches, JSON Lines.")] = None
    threshold: Annotated[
        float | None,
        Option(
            "Threshold of searches that name none; default: that of the calibration of the stack's ranker, else 0.5."
        ),
    ] = None
    in_process: Annotated[bool, Option("One process, no Kafka, no Flink.")] = False
    rate: Annotated[float, Option("Updates per second; 0 = as fast as the broker takes them.")] = 0.0
    full_export: Annotated[
        bool,
        Option("The stream is a list of all open postings: close what the store has and the list lacks."),
    ] = False
    as_of: Annotated[str, Option("With --full-export: when the export was made, ISO 8601; default: now.")] = (
        ""
    )
    close_at_most: Annotated[
        float, Option("With --full-export: largest share of the open postings that it may close.")
    ] = 0.2
    store: Annotated[
        str | None,
        Option(
            "With --in-process: where the features go (default memory:). With --full-export: the feature job's store, by "
            "default the running local stack's."
        ),
    ] = None
    models: Annotated[str, Option("With --in-process: `instant` or a model server's URL.")] = "instant"
    embedder: Annotated[
        str, Option("With --in-process: `instant:` or an embedder's URL; default: records have no vectors.")
    ] = ""
    reading: Annotated[EventFormat, Options("How lines are read")] = DOCUMENTED
    max_ahead_s: Annotated[
        float,
        Option(
            "With --in-process: how far in the future an update's time may lie; a later one is a dead letter."
        ),
    ] = MAX_AHEAD_S
    schema_registry: Annotated[
        str | None, Option("Send in Confluent framing; default: as the running stack was told.")
    ] = None
    bootstrap: Annotated[str, Option("Kafka brokers, HOST:PORT,...; default: the running local stack's.")] = (
        ""
    )


@from_settings
def replay(run: ReplayRun, home: options.Home = None) -> None:
    """Send a stream to the running stack or to any brokers, or run the same functions on it in this process."""
    console = Console()
    if run.in_process:
        from nearline.cli.local_parts import replay_in_process

        file = ReadFile(_existing(run.stream), run.reading)
        replay_in_process(
            file,
            run.searches,
            run.store or "memory:",
            run.models,
            console,
            threshold=run.threshold,
            max_ahead_s=run.max_ahead_s,
            embedder=run.embedder,
            export=_export(run),
        )
        return
    stack = None if run.bootstrap else options.running_stack(home)
    if stack is not None:
        told = stack.schema_registry if run.schema_registry is None else run.schema_registry
        run = replace(run, schema_registry=told)
    _send(run, options.kafka(run.bootstrap, home), home, console)


def _export(run: ReplayRun) -> FullExport | None:
    """The full export that the options describe, None without --full-export. Raises ConfigError."""
    if not run.full_export:
        if run.as_of:
            raise ConfigError("--as-of says when a full export was made: give --full-export with it")
        return None
    made = full_export(run.as_of, run.close_at_most, time.time())
    return replace(made, id_prefix=run.reading.id_prefix, of_sources=bool(run.reading.source_field))


def _events(run: ReplayRun, file: ReadFile, home: Path | None, console: Console) -> NumberedEvents:
    """The updates to send: those of the file, and for a full export the closings of what it lacks."""
    export = _export(run)
    if export is None:
        return file.numbered()
    if run.bootstrap and run.store is None:
        raise ConfigError(
            "--full-export with --bootstrap needs --store: the feature job's store, to see what is open"
        )
    with closing(open_store(options.store_url(run.store, home))) as kv:
        return planned(file, FeatureStore(kv).scan, export, console)


def _threshold(run: ReplayRun, home: Path | None) -> float:
    """Threshold of searches that name none."""
    if run.threshold is not None:
        return run.threshold
    return options.default_threshold(None if run.bootstrap else options.running_stack(home).ranker_dir)


def _send(run: ReplayRun, kafka: KafkaSettings, home: Path | None, console: Console) -> None:
    """Send searches, if there are any, and then the stream; the progress is shown meanwhile."""
    from streaming.kafka.framing import open_codec
    from streaming.tools.replay import WRITES, replay_updates, send_searches

    file = ReadFile(_existing(run.stream), run.reading)
    events = _events(run, file, home, console)
    with closing(open_codec(options.registry(run.schema_registry or ""), WRITES)) as codec:
        if run.searches is not None:
            searches = read_searches(_existing(run.searches), _threshold(run, home))
            count = send_searches(kafka, searches, codec)
            console.print(f"{count} searches sent")
        with console.status("sending …") as status:
            sent = replay_updates(
                kafka,
                events,
                rate_per_s=run.rate,
                on_progress=lambda progress: (
                    status.update(f"sent {progress.sent}") if progress.sent % 100 == 0 else None
                ),
                codec=codec,
            )
    console.print(f"{sent.sent} updates sent, {sent.broken} of them broken lines")
    file.tell_broken(console)
    exit_code = show_left_out(sent, Console(stderr=True, soft_wrap=True, highlight=False))
    file.finish()
    raise typer.Exit(exit_code)


def show_left_out(sent: "ReplayProgress", console: Console) -> int:
    """Name the events that were too large to be sent; returns the exit status, 1 when there are any."""
    for event in sent.too_large:
        console.print(cell(str(event)))
    if sent.too_large:
        console.print(f"{len(sent.too_large)} updates not sent, too large for the topic postings.updates")
    return 1 if sent.too_large else 0


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
