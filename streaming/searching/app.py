"""The search service's web application: `POST /v1/search`, and whether it can answer."""

import logging
import threading
import time
from collections.abc import Callable
from math import ceil
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from pipeline.search.searcher import Searcher
from schemas.errors import ConfigError, EventError, ModelUnavailable, NearlineError, StoreError
from streaming.searching.bodies import Json, SearchBody, answer
from streaming.searching.metrics import SearchMetrics

log = logging.getLogger(__name__)

RETRY_S = 1.0


class Unready(NearlineError):
    """The service cannot answer now; the message says why, and a second later it may."""


class SearchRoute:
    """Answers searches in the threads of the server, at most `at_once` of them: others are told to come again."""

    def __init__(
        self,
        searcher: Searcher,
        metrics: SearchMetrics,
        trouble: Callable[[], str],
        at_once: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._searcher, self._metrics, self._trouble, self._clock = searcher, metrics, trouble, clock
        self._room = threading.BoundedSemaphore(at_once)

    def search(self, body: SearchBody) -> Json:
        """Search the open postings."""
        if trouble := self._trouble():
            raise Unready(trouble)
        if not self._room.acquire(blocking=False):
            raise Unready("too many searches at once: come again")
        began = self._clock()
        try:
            made = self._searcher.search(body.request())
        finally:
            self._room.release()
        self._metrics.latency_s.observe(self._clock() - began)
        self._metrics.depth.set(self._searcher.depth)
        self._metrics.answered(made)
        return answer(made)


def create_app(route: SearchRoute, metrics: SearchMetrics, trouble: Callable[[], str]) -> FastAPI:
    """The application. `trouble`: one line that says why it cannot answer now; "" while it can."""
    app = FastAPI(title="nearline search", docs_url=None, redoc_url=None)
    errors: dict[int | str, dict[str, Any]] = {
        400: {"description": "The request cannot be answered; `error` says why."},
        503: {"description": "A part is away or loading; come again after Retry-After seconds."},
        "default": {"description": "Another failure; `error` says which."},
    }
    app.add_api_route(
        "/v1/search",
        route.search,
        methods=["POST"],
        operation_id="search",
        responses=errors,
        summary="Search",
    )
    app.add_api_route(
        "/health",
        lambda: _health(trouble()),
        methods=["GET"],
        operation_id="health",
        summary="Whether it can answer",
        response_model=None,
    )
    refused = _Refusals(metrics)
    for kind in (NearlineError, RequestValidationError):
        app.add_exception_handler(kind, refused)
    return app


class _Refusals:
    """Errors as answers: `{"error": LINE}` with 400 for a bad request, 503 while a part is away."""

    def __init__(self, metrics: SearchMetrics) -> None:
        self._metrics = metrics

    async def __call__(self, _request: Request, error: Exception) -> Response:
        if isinstance(error, RequestValidationError):
            return self._answer(400, "refused", _first(error))
        if isinstance(error, ConfigError | EventError):
            return self._answer(400, "refused", str(error))
        if isinstance(error, Unready | StoreError | ModelUnavailable):
            return self._answer(503, "unavailable", str(error))
        log.error("a search failed", exc_info=error)
        return self._answer(500, "failed", str(error))

    def _answer(self, status: int, outcome: str, line: str) -> Response:
        self._metrics.requests.labels(outcome).inc()
        headers = {"Retry-After": str(ceil(RETRY_S))} if status == 503 else None
        return JSONResponse({"error": line}, status, headers)


def _first(error: RequestValidationError) -> str:
    found = error.errors()[0]
    where = ".".join(str(part) for part in found["loc"] if part != "body") or "the body"
    return f"{where}: {found['msg']}"


def _health(trouble: str) -> Response:
    return JSONResponse({"serving": not trouble, "trouble": trouble}, 503 if trouble else 200)
