"""The web application: the page's files, its stream of events, and what a browser may ask."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Header, Query, Request
from fastapi.responses import FileResponse, JSONResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field

from nearline.page.broadcast import Broadcast
from nearline.page.desk import Desk, pieces
from nearline.page.guard import Guard
from nearline.page.messages import letter_item, record_item
from nearline.page.pair import pair_view
from nearline.page.search import Searcher
from nearline.page.watching import Watching
from schemas.errors import ConfigError, NearlineError

STATIC = Path(__file__).parent / "static"
MOST_CHARS = 2_000
"""Longer questions are refused: nobody types them."""
RETRY_MS = 1_000
"""How long a browser waits before it connects again."""
Answer = dict[str, Any]


class SearchBody(BaseModel):
    """A question as the search service takes it, which checks the rest."""

    query: str = Field(max_length=MOST_CHARS)
    dropped: list[str] = Field(default=[], max_length=32)
    set: dict[str, Any] = {}
    limit: int = 12
    cursor: str = ""


class ReplayBody(BaseModel):
    """The dead letters to send back: those at offsets `first` to `last`."""

    first: int = Field(ge=0)
    last: int = Field(ge=0)


class Routes:
    """The handlers; those without `async` run in threads, because stores and brokers block."""

    def __init__(self, broadcast: Broadcast, desk: Desk, searcher: Searcher) -> None:
        self._broadcast, self._desk, self._searcher = broadcast, desk, searcher

    async def events(
        self,
        after: str = "",
        last_event_id: Annotated[str, Header()] = "",
    ) -> AsyncIterator[ServerSentEvent]:
        """The stream; a browser that connects again by itself says by a header what it had last, else by `after`."""
        yield ServerSentEvent(comment="nearline", retry=RETRY_MS)
        async for event in self._broadcast.follow(last_event_id or after):
            name = self._broadcast.name(event.place) if event.place.number else None
            yield ServerSentEvent(event=event.kind, data=event.data, id=name)

    def posting(self, id: str) -> Answer:  # noqa: A002  (the parameter's name in the address)
        """One posting with its text, cut where the summary's phrases begin and end."""
        found = self._desk.posting(id)
        if found is None:
            raise ConfigError(f"the store has no posting {id!r}: it was removed, or the id is wrong")
        text = None if found.text is None else pieces(found.text, found.spans or ())
        return record_item(found.record) | {"text": text, "verbatim": found.spans is not None}

    def pair(self, search: str, posting: str) -> Answer:
        """Why a pair did or did not alert."""
        return pair_view(self._desk.pair(search, posting))

    def letters(self) -> Answer:
        """The newest dead letters."""
        return {"letters": [letter_item(one) for one in self._desk.letters()]}

    def letter(self, partition: Annotated[int, Query(ge=0)], offset: Annotated[int, Query(ge=0)]) -> Answer:
        """One dead letter with all of its bytes, as text."""
        found = self._desk.letter(partition, offset)
        return {**letter_item(found), "value": found.letter.value.decode(errors="replace")}

    def replay(self, asked: ReplayBody) -> Answer:
        """Send dead letters back."""
        return self._desk.replay(asked.first, asked.last)._asdict()

    def search(self, asked: SearchBody) -> Answer:
        """The best open postings for a question."""
        return dict(self._searcher.search(asked.model_dump()))


def create_app(watching: Watching, desk: Desk, searcher: Searcher) -> FastAPI:
    """The application over one system; its loops run while it serves."""
    app = FastAPI(
        title="nearline", docs_url=None, redoc_url=None, openapi_url=None, lifespan=_running(watching)
    )
    routes = Routes(watching.broadcast, desk, searcher)
    app.add_api_route("/api/events", routes.events, response_class=EventSourceResponse)
    for path in ("posting", "pair", "letters", "letter"):
        app.add_api_route(f"/api/{path}", getattr(routes, path))
    app.add_api_route("/api/search", routes.search, methods=["POST"])
    app.add_api_route("/api/letters/replay", routes.replay, methods=["POST"])
    for path, name in (("/", "index.html"), ("/pair", "pair.html")):
        app.add_api_route(path, _file(STATIC / name), response_class=FileResponse, response_model=None)
    app.add_api_route("/health", lambda: {"serving": True})
    app.mount("/static", StaticFiles(directory=STATIC))
    app.add_exception_handler(NearlineError, _refused)
    app.add_middleware(Guard)
    return app


def _file(path: Path) -> Callable[[], FileResponse]:
    return lambda: FileResponse(path)


def _running(watching: Watching) -> Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]]:
    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        loops = [asyncio.create_task(loop) for loop in (watching.topics(), watching.figures())]
        try:
            yield
        finally:
            await _ended(loops)
            await asyncio.to_thread(watching.feed.close)

    return lifespan


async def _ended(loops: list[asyncio.Task[None]]) -> None:
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    """404 or 400 for what does not exist or cannot be, 503 while a part is away; with one line that says what to do."""
    refused = 404 if request.method == "GET" else 400
    return JSONResponse({"error": str(error)}, refused if isinstance(error, ConfigError) else 503)
