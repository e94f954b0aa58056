"""The page served over HTTP on this machine, with the shipped sample replayed behind it by models without weights."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import uvicorn

from models.ranker import LexicalRanker
from models.summarizer import InstantSummarizer
from nearline.page.app import create_app
from nearline.page.broadcast import KEPT
from nearline.page.local import Event, LocalStage, Replay
from nearline.page.search import WordSearcher
from nearline.page.watching import watching
from nearline.stack.tools import free_port
from nearline.top.pages import Look
from schemas.codec import Codec
from schemas.events import BrokenLine, read_events, read_searches
from storage.memory import MemoryStore

NOTHING = Look(at_s=0.0, samples={})
SAMPLE = Path(__file__).parents[3] / "nearline" / "sample"


def sample(most: int = 40) -> list[Event]:
    """The first events of the sample that are whole."""
    whole = (event for event in read_events(SAMPLE / "stream.jsonl") if not isinstance(event, BrokenLine))
    return list(islice(whole, most))


class HandClock:
    """The time of day, plus what a test lets pass: at a rate of one event a second, so many events become due."""

    def __init__(self) -> None:
        self.passed_s = 0.0
        self._start_s = time.time()

    def __call__(self) -> float:
        return self._start_s + self.passed_s


def staged(
    events: Sequence[Event], rate_per_s: float = 0.0, clock: Callable[[], float] = time.time
) -> LocalStage:
    replay = Replay(
        events=events, searches=read_searches(SAMPLE / "searches.jsonl", 0.5), rate_per_s=rate_per_s
    )
    return LocalStage(replay, MemoryStore(clock), InstantSummarizer(), LexicalRanker(), clock=clock)


@contextmanager
def served(
    stage: LocalStage, look: Callable[[], Look] = lambda: NOTHING, *, kept: int = KEPT
) -> Iterator[str]:
    """Serve until the end of the block; the address."""
    watched = watching(stage, Codec(), look, kept=kept)
    app = create_app(watched, stage, WordSearcher(stage.records))
    port = free_port()
    config = uvicorn.Config(app, port=port, log_level="critical", timeout_graceful_shutdown=1, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
