"""`nearline page`: watch a running system in a browser."""

import os
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from nearline.cli import options
from nearline.cli.explain_parts import Addresses, ExplainedSystem, ExplainParts, addresses
from nearline.cli.from_settings import from_settings
from nearline.cli.top import source
from nearline.stack.settings import StackSettings
from nearline.top.pages import Source, look, stack_sources
from schemas.errors import ConfigError
from schemas.events import read_events, read_searches
from schemas.records import Alert, FeatureRecord
from storage.memory import MemoryStore
from streaming.kafka.framing import open_codec
from streaming.kafka.topics import ALERTS, FEATURES

if TYPE_CHECKING:
    from nearline.page.desk import Desk
    from nearline.page.local import LocalStage
    from nearline.page.search import Searcher
    from nearline.page.watching import Watching

_SAMPLE = Path(__file__).parents[1] / "sample"
_READS = {FeatureRecord: FEATURES.name, Alert: ALERTS.name}


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(page)


@from_settings
def page(
    system: ExplainedSystem,
    *,
    at: Annotated[
        list[str] | None,
        typer.Option(
            help="A process of a deployed system whose figures are shown, such as matcher=http://10.0.0.7:9400; may be "
            "given again. Default: the processes of the local stack.",
            metavar="NAME=URL",
        ),
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(
            help="The search service behind the search box, http://host:port; default: the local stack's, for a deployed "
            "system none: then words alone decide."
        ),
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port on 127.0.0.1; default: the stack's, for a deployed system 29080.")
    ] = None,
    sample: Annotated[
        bool,
        typer.Option(
            "--sample", help="No system: replay the shipped sample in this process, by the shipped models."
        ),
    ] = False,
    rate: Annotated[float, typer.Option(help="With --sample: updates per second; 0 = at once.")] = 4.0,
    home: options.Home = None,
) -> None:
    """Serve the page that shows a running system: postings, summaries, alerts, figures, explanations, dead letters.

    `nearline up` serves it for the local stack. It listens on this machine alone, and changes nothing but by the button
    that sends dead letters back. Without --bootstrap and --store it reads the local stack; with them a deployed system,
    by the options of its alert consumer. Ctrl-C ends it.
    """
    _require_fastapi()
    if sample:
        _serve_sample(port or _port(StackSettings()), rate)
        return
    addressed = addresses(system, home, os.environ)
    stack = None if system.is_deployed else options.running_stack(home)
    sources = [source(one) for one in at or ()] or ([] if stack is None else stack_sources(stack))
    if stack is not None and search is None:
        search = stack.search_url
    _serve_system(addressed, sources, search, port or _port(stack or StackSettings()))


def _port(stack: StackSettings) -> int:
    return stack.port("page")


def _require_fastapi() -> None:
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as missing:
        raise ConfigError(
            f"the page needs {missing.name}: pip install 'nearline-job-search[page]'"
        ) from missing


def _serve_system(at: Addresses, sources: Iterable[Source], search: str | None, port: int) -> None:
    from nearline.page.desk import SystemDesk
    from nearline.page.feed import KafkaFeed
    from nearline.page.search import ServiceSearcher, WordSearcher
    from nearline.page.watching import watching

    with closing(open_codec(at.registry, _READS)) as codec:
        desk = SystemDesk(at.kafka, lambda: ExplainParts(at))
        watched = watching(KafkaFeed(at.kafka), codec, lambda: look(sources, time.monotonic()))
        with closing(desk):
            _serve(watched, desk, ServiceSearcher(search) if search else WordSearcher(desk.records), port)


def _serve_sample(port: int, rate: float) -> None:
    from nearline.page.search import WordSearcher
    from nearline.page.watching import watching
    from schemas.codec import Codec

    stage = _stage(rate)
    watched = watching(stage, Codec(), lambda: look((), time.monotonic()))
    _serve(watched, stage, WordSearcher(stage.records), port)


def _stage(rate: float) -> "LocalStage":
    from models.server.in_process import InProcessRanker, InProcessSummarizer
    from nearline.page.local import LocalStage, Replay

    ranker, summarizer = options.CHECKPOINTS / "ranker-tiny", options.CHECKPOINTS / "summarizer-tiny"
    replay = Replay(
        events=read_events(_SAMPLE / "stream.jsonl"),
        searches=read_searches(_SAMPLE / "searches.jsonl", options.default_threshold(ranker)),
        rate_per_s=rate,
    )
    return LocalStage(
        replay, MemoryStore(time.time), InProcessSummarizer(summarizer), InProcessRanker(ranker)
    )


def _serve(watched: "Watching", desk: "Desk", searcher: "Searcher", port: int) -> None:
    from nearline.page.app import create_app
    from nearline.page.serving import serve

    Console().print(f"the page is on http://127.0.0.1:{port}/ (Ctrl-C ends it)", markup=False)
    serve(create_app(watched, desk, searcher), port)
