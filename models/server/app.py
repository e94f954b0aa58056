"""The routes: /v1/score, /v1/completions, /v1/models, /health, /metrics."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import orjson
from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from models.engine.base import Generated, GenerateJob, ScoreJob
from models.engine.batcher import Refused
from models.server.answers import (
    DEADLINE_HEADER,
    ERRORS,
    Cards,
    CompletionAnswer,
    Health,
    ScoreAnswer,
    request_of,
)
from models.server.complete import completion_answer, generate_jobs
from models.server.config import Limits
from models.server.metrics import ServerMetrics
from models.server.pauses import LagProbe, collections_timed
from models.server.requests import BadRequest, CompletionBody, ScoreBody, parse
from models.server.score import Scoring, score_answer, score_request
from models.server.service import Hosted
from models.server.transport import Bodies, HungUp, finish

log = logging.getLogger(__name__)

ERROR_TYPES = {
    404: "NotFoundError",
    413: "RequestTooLargeError",
    500: "InternalServerError",
    503: "ServiceUnavailableError",
}
REASONS = {400: "bad request", 404: "not found", 408: "slow body", 413: "body too large"}
SMALL_BODY = 65_536
"""Bytes that are parsed and checked at once, a millisecond or two; more is left to a thread, which others interrupt."""

Ranker = Hosted[ScoreJob, list[list[float]]]
Summarizer = Hosted[GenerateJob, Generated]
Handler = Callable[[Request, float], Awaitable[dict[str, Any]]]
Given = ParamSpec("Given")
Made = TypeVar("Made")


def create_app(ranker: Ranker | None, summarizer: Summarizer | None, limits: Limits) -> FastAPI:
    """The application over what is hosted; a route whose model is not there answers 404."""
    hosted: dict[str, Hosted[Any, Any]] = {}
    if ranker:
        hosted["score"] = ranker
    if summarizer:
        hosted["completions"] = summarizer
    routes = Routes(hosted, ranker, summarizer, limits)
    app = FastAPI(title="nearline model server", docs_url=None, redoc_url=None, lifespan=routes.lifespan)
    for path, summary, handler, body, answer in (
        ("/v1/score", "Score items by label tokens", routes.score, ScoreBody, ScoreAnswer),
        ("/v1/completions", "Continue prompts", routes.complete, CompletionBody, CompletionAnswer),
    ):
        app.add_api_route(
            path,
            routes.answering(path, handler),
            methods=["POST"],
            summary=summary,
            operation_id=handler.__name__,
            responses={200: {"model": answer}, **ERRORS},
            openapi_extra=request_of(body),
        )
    app.add_api_route("/v1/models", routes.models, methods=["GET"], responses={200: {"model": Cards}})
    both: dict[int | str, dict[str, Any]] = {200: {"model": Health}, 503: {"model": Health}}
    app.add_api_route("/health", routes.health, methods=["GET"], responses=both)
    text: dict[int | str, dict[str, Any]] = {200: {"content": {CONTENT_TYPE_LATEST: {}}}}
    app.add_api_route(
        "/metrics", routes.metrics_page, methods=["GET"], responses=text, response_class=Response
    )
    app.add_exception_handler(HTTPException, _http_error)
    return app


class Routes:
    """The handlers; each turns any failure into an answer for that request alone."""

    def __init__(
        self,
        hosted: dict[str, Hosted[Any, Any]],
        ranker: Ranker | None,
        summarizer: Summarizer | None,
        limits: Limits,
    ) -> None:
        self._hosted, self._ranker, self._summarizer, self._limits = hosted, ranker, summarizer, limits
        self._metrics = ServerMetrics(hosted)
        self._bodies = Bodies(limits)
        self._created_s = int(time.time())

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """While it serves, its pauses are timed."""
        probe = LagProbe(self._metrics.loop_lag)
        with collections_timed(self._metrics.collections):
            yield
        probe.stop()

    def answering(self, route: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """The handler with its failures answered and its time observed."""
        self._metrics.expect(route)

        async def handle(request: Request) -> dict[str, Any]:
            return await handler(request, self._deadline(request))

        async def answer(request: Request) -> Response:
            start = time.monotonic()
            response, refusal = await _answer(request, handle)
            self._metrics.observe(route, response.status_code, refusal, time.monotonic() - start)
            return response

        return answer

    async def score(self, request: Request, deadline: float) -> dict[str, Any]:
        """POST /v1/score."""
        ranker: Ranker = _require(self._ranker, "ranker")
        scoring = await self._scoring(request, ranker)
        scores = await finish(request, ranker.batcher.submit_many(scoring.jobs, deadline), deadline)
        self._metrics.count_work("/v1/score", scoring.items, scoring.tokens)
        return score_answer(scoring, scores, ranker.engine.info.name)

    async def _scoring(self, request: Request, ranker: Ranker) -> Scoring:
        engine, batch_tokens = ranker.engine, ranker.batcher.config.batch_tokens
        async with self._bodies.read(request) as body:
            large = len(body) > SMALL_BODY
            asked = await _apart(large, parse, ScoreBody, body)
            ranker.check_model(asked.model)
            slow = large or isinstance(asked.query, str)
            return await _apart(slow, score_request, asked, engine, self._limits, batch_tokens)

    async def complete(self, request: Request, deadline: float) -> dict[str, Any]:
        """POST /v1/completions."""
        summarizer: Summarizer = _require(self._summarizer, "summarizer")
        jobs = await self._generate_jobs(request, summarizer)
        results = await finish(request, summarizer.batcher.submit_many(jobs, deadline), deadline)
        self._metrics.count_work("/v1/completions", len(jobs), sum(len(job.prompt) for job in jobs))
        return completion_answer(jobs, results, summarizer.engine.info.name, int(time.time()))

    async def _generate_jobs(self, request: Request, summarizer: Summarizer) -> list[GenerateJob]:
        async with self._bodies.read(request) as body:
            asked = await _apart(len(body) > SMALL_BODY, parse, CompletionBody, body)
            summarizer.check_model(asked.model)
            return await asyncio.to_thread(generate_jobs, asked, summarizer.engine, self._limits)

    async def models(self) -> Response:
        """GET /v1/models, with the route that each model answers as `task`."""
        cards = [
            {
                "id": hosted.engine.info.name,
                "object": "model",
                "created": self._created_s,
                "owned_by": "nearline",
                "root": hosted.engine.info.name,
                "parent": None,
                "max_model_len": hosted.engine.info.context_tokens,
                "task": task,
            }
            for task, hosted in self._hosted.items()
        ]
        return _json({"object": "list", "data": cards})

    async def health(self) -> Response:
        """200 while every model thread lives."""
        alive = all(hosted.batcher.alive for hosted in self._hosted.values())
        return _json({"status": "ok" if alive else "a model thread ended"}, 200 if alive else 503)

    async def metrics_page(self) -> Response:
        """Prometheus text."""
        return Response(generate_latest(self._metrics.registry), media_type=CONTENT_TYPE_LATEST)

    def _deadline(self, request: Request) -> float:
        text = request.headers.get(DEADLINE_HEADER)
        limit_s = self._limits.deadline_s
        try:
            left_s = limit_s if text is None else float(text) / 1000
        except ValueError as error:
            raise BadRequest(f"{DEADLINE_HEADER} must be a number of milliseconds") from error
        if not math.isfinite(left_s):
            raise BadRequest(f"{DEADLINE_HEADER} must be finite")
        return time.monotonic() + min(left_s, limit_s)


async def _apart(
    slow: bool,
    work: Callable[Given, Made],
    *args: Given.args,
    **kwargs: Given.kwargs,
) -> Made:
    """Slow work in a thread, quick work at once."""
    return await asyncio.to_thread(work, *args, **kwargs) if slow else work(*args, **kwargs)


def _require(model: Any, role: str) -> Any:
    if model is None:
        raise BadRequest(f"no {role} is served here: start the server with --{role} DIR", status=404)
    return model


async def _answer(
    request: Request, handle: Callable[[Request], Awaitable[dict[str, Any]]]
) -> tuple[Response, str]:
    """The answer, and why it is a refusal."""
    try:
        return _json(await handle(request)), ""
    except BadRequest as error:
        return _error(error.status, str(error), kind=error.kind), REASONS[error.status]
    except Refused as error:
        retry = {"Retry-After": str(math.ceil(error.retry_after_s))}
        return _error(503, str(error), retry), error.reason
    except HungUp:
        return Response(status_code=499), "hung up"
    except Exception:  # a request must never end the server; the traceback goes to the log
        log.exception("a request to %s failed", request.url.path)
        return _error(500, "the model failed on this request; the server's log says why"), "model failed"


def _json(content: dict[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, "application/json")


def _error(
    status: int, message: str, headers: Mapping[str, str] | None = None, kind: str = "BadRequestError"
) -> Response:
    named = ERROR_TYPES.get(status, kind)
    body = {"object": "error", "message": message, "type": named, "param": None, "code": status}
    return _json(body, status, headers)


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  (registered for it)
    return _error(error.status_code, str(error.detail), error.headers)
