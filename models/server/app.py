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
from models.engine.batcher import JobRefused
from models.server.complete import completion_answer, generate_jobs
from models.server.config import Limits
from models.server.metrics import ServerMetrics
from models.server.openapi import (
    DEADLINE_HEADER,
    ERRORS,
    Card,
    Cards,
    CompletionAnswer,
    Health,
    ScoreAnswer,
    request_of,
)
from models.server.pauses import LagProbe, collections_timed
from models.server.requests import BadRequest, CompletionBody, ScoreBody, parse
from models.server.score import Scoring, score_answer, score_request
from models.server.service import Hosted, base_name
from models.server.transport import BodyReader, ClientDisconnected, finish

log = logging.getLogger(__name__)

ERROR_TYPES = {
    404: "NotFoundError",
    413: "RequestTooLargeError",
    500: "InternalServerError",
    503: "ServiceUnavailableError",
}
REASONS = {400: "bad request", 404: "not found", 408: "slow body", 413: "body too large"}
SMALL_BODY = 65_536
"""Bytes up to which a body is parsed on the event loop, in 1 or 2 ms; a larger one is parsed in a thread."""

HostedRanker = Hosted[ScoreJob, list[list[float]]]
HostedSummarizer = Hosted[GenerateJob, Generated]
Handler = Callable[[Request, float], Awaitable[dict[str, Any]]]
Given = ParamSpec("Given")
Made = TypeVar("Made")


def create_app(ranker: HostedRanker | None, summarizer: HostedSummarizer | None, limits: Limits) -> FastAPI:
    """Return the application that serves these models; a route without its model answers 404."""
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
    one: dict[int | str, dict[str, Any]] = {200: {"model": Card}, 404: ERRORS[404]}
    app.add_api_route("/v1/models/{model:path}", routes.model, methods=["GET"], responses=one)
    both: dict[int | str, dict[str, Any]] = {200: {"model": Health}, 503: {"model": Health}}
    app.add_api_route("/health", routes.health, methods=["GET"], responses=both)
    text: dict[int | str, dict[str, Any]] = {200: {"content": {CONTENT_TYPE_LATEST: {}}}}
    app.add_api_route(
        "/metrics", routes.metrics_page, methods=["GET"], responses=text, response_class=Response
    )
    app.add_exception_handler(HTTPException, _http_error)
    return app


class Routes:
    """The routes' handlers; a failure becomes the answer to the request that caused it and harms no other."""

    def __init__(
        self,
        hosted: dict[str, Hosted[Any, Any]],
        ranker: HostedRanker | None,
        summarizer: HostedSummarizer | None,
        limits: Limits,
    ) -> None:
        self._hosted, self._ranker, self._summarizer, self._limits = hosted, ranker, summarizer, limits
        self._metrics = ServerMetrics(hosted)
        self._bodies = BodyReader(limits)
        self._created_s = int(time.time())

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """Measure the pauses of the event loop and the garbage collector while the application serves."""
        probe = LagProbe(self._metrics.loop_lag)
        with collections_timed(self._metrics.collections):
            yield
        probe.stop()

    def answering(self, route: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Wrap a handler: failures become HTTP answers, and every answer is counted with the time it took."""
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
        ranker: HostedRanker = _require(self._ranker, "ranker")
        scoring = await self._scoring(request, ranker)
        scores = await finish(request, ranker.batcher.submit_many(scoring.jobs, deadline), deadline)
        self._metrics.count_work("/v1/score", scoring.items, scoring.tokens)
        return score_answer(scoring, scores, ranker.engine.info.name)

    async def _scoring(self, request: Request, ranker: HostedRanker) -> Scoring:
        engine, batch_tokens = ranker.engine, ranker.batcher.config.batch_tokens
        async with self._bodies.read(request) as body:
            large = len(body) > SMALL_BODY
            asked = await _run(large, parse, ScoreBody, body)
            ranker.check_model(asked.model)
            slow = large or isinstance(asked.query, str)
            return await _run(slow, score_request, asked, engine, self._limits, batch_tokens)

    async def complete(self, request: Request, deadline: float) -> dict[str, Any]:
        """POST /v1/completions."""
        summarizer: HostedSummarizer = _require(self._summarizer, "summarizer")
        jobs = await self._generate_jobs(request, summarizer)
        results = await finish(request, summarizer.batcher.submit_many(jobs, deadline), deadline)
        self._metrics.count_work("/v1/completions", len(jobs), sum(len(job.prompt) for job in jobs))
        return completion_answer(jobs, results, summarizer.engine.info.name, int(time.time()))

    async def _generate_jobs(self, request: Request, summarizer: HostedSummarizer) -> list[GenerateJob]:
        async with self._bodies.read(request) as body:
            asked = await _run(len(body) > SMALL_BODY, parse, CompletionBody, body)
            summarizer.check_model(asked.model)
            return await asyncio.to_thread(generate_jobs, asked, summarizer.engine, self._limits)

    async def models(self) -> Response:
        """GET /v1/models, with the route that each model answers as `task`."""
        return _json({"object": "list", "data": self._cards()})

    async def model(self, model: str) -> Response:
        """GET /v1/models/{model}: the card of a served model by its name or that of another generation, else 404."""
        cards = self._cards()
        alike = [card for card in cards if base_name(card["id"]) == base_name(model)]
        found = [card for card in cards if card["id"] == model] or alike
        if not found:
            names = ", ".join(repr(card["id"]) for card in cards) or "no model"
            return _error(404, f"model {model[:99]!r} is not served here, but {names}")
        return _json(found[0])

    def _cards(self) -> list[dict[str, Any]]:
        return [
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

    async def health(self) -> Response:
        """GET /health: 200 while every model thread runs, else 503."""
        alive = all(hosted.batcher.alive for hosted in self._hosted.values())
        return _json({"status": "ok" if alive else "a model thread ended"}, 200 if alive else 503)

    async def metrics_page(self) -> Response:
        """GET /metrics: the metrics in Prometheus text format."""
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


async def _run(
    slow: bool,
    work: Callable[Given, Made],
    *args: Given.args,
    **kwargs: Given.kwargs,
) -> Made:
    """Run `work` in a thread if it is slow, else right here."""
    return await asyncio.to_thread(work, *args, **kwargs) if slow else work(*args, **kwargs)


def _require(model: Any, role: str) -> Any:
    if model is None:
        raise BadRequest(f"no {role} is served here: start the server with --{role} DIR", status=404)
    return model


async def _answer(
    request: Request, handle: Callable[[Request], Awaitable[dict[str, Any]]]
) -> tuple[Response, str]:
    """Return the answer and, of a refused request, the reason for the metrics (else an empty string)."""
    try:
        return _json(await handle(request)), ""
    except BadRequest as error:
        return _error(error.status, str(error), kind=error.kind), REASONS[error.status]
    except JobRefused as error:
        retry = {"Retry-After": str(math.ceil(error.retry_after_s))}
        return _error(503, str(error), retry), error.reason
    except ClientDisconnected:
        return Response(status_code=499), "hung up"
    except Exception:  # no request may end the server; the traceback goes to the log
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
    assert isinstance(error, HTTPException)  # noqa: S101  (the type it is registered for)
    return _error(error.status_code, str(error.detail), error.headers)
