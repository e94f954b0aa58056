"""The routes: /v1/score, /v1/completions, /v1/models, /health, /metrics."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from models.engine.base import Generated, GenerateJob, ScoreJob
from models.server.config import Limits
from models.server.metrics import ServerMetrics
from models.server.requests import BadRequest, CompletionBody, ScoreBody, parse
from models.server.service import Hosted, completion_answer, generate_jobs, score_answer, score_job
from models.server.transport import HungUp, finish, read_body
from schemas.errors import ModelUnavailable

log = logging.getLogger(__name__)

DEADLINE_HEADER = "x-deadline-ms"
ERROR_TYPES = {404: "NotFoundError", 413: "RequestTooLargeError", 503: "ServiceUnavailableError"}

Ranker = Hosted[ScoreJob, list[list[float]]]
Summarizer = Hosted[GenerateJob, Generated]
Handler = Callable[[Request], Awaitable[dict[str, Any]]]


def create_app(ranker: Ranker | None, summarizer: Summarizer | None, limits: Limits) -> FastAPI:
    """The application over what is hosted; a route whose model is not there answers 404."""
    app = FastAPI(title="nearline model server", docs_url=None, redoc_url=None)
    hosted: dict[str, Hosted[Any, Any]] = {}
    if ranker:
        hosted["score"] = ranker
    if summarizer:
        hosted["completions"] = summarizer
    routes = Routes(hosted, ranker, summarizer, limits)
    for path, handler, body in (
        ("/v1/score", routes.score, ScoreBody),
        ("/v1/completions", routes.complete, CompletionBody),
    ):
        content = {"application/json": {"schema": body.model_json_schema()}}
        app.add_api_route(
            path,
            routes.answering(path, handler),
            methods=["POST"],
            openapi_extra={"requestBody": {"required": True, "content": content}},
        )
    app.add_api_route("/v1/models", routes.models, methods=["GET"])
    app.add_api_route("/health", routes.health, methods=["GET"])
    app.add_api_route("/metrics", routes.metrics_page, methods=["GET"])
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
        self._created_s = int(time.time())

    def answering(self, route: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """The handler with its failures answered and its time observed."""

        async def answer(request: Request) -> Response:
            start = time.monotonic()
            response = await _answer(request, handler)
            self._metrics.observe(route, response.status_code, time.monotonic() - start)
            return response

        return answer

    async def score(self, request: Request) -> dict[str, Any]:
        """POST /v1/score."""
        deadline = self._deadline(request)
        body = parse(ScoreBody, await read_body(request, self._limits))
        ranker = _require(self._ranker, "ranker")
        ranker.check_model(body.model)
        job = await asyncio.to_thread(score_job, body, ranker.engine, self._limits)
        name = ranker.engine.info.name
        if not job.items:
            return score_answer(job, [], name)
        (scores,) = await finish(request, ranker.submit_many([job], deadline), deadline)
        self._metrics.count_work("/v1/score", len(job.items), job.tokens)
        return score_answer(job, scores, name)

    async def complete(self, request: Request) -> dict[str, Any]:
        """POST /v1/completions."""
        deadline = self._deadline(request)
        body = parse(CompletionBody, await read_body(request, self._limits))
        summarizer = _require(self._summarizer, "summarizer")
        summarizer.check_model(body.model)
        jobs = await asyncio.to_thread(generate_jobs, body, summarizer.engine, self._limits)
        results = await finish(request, summarizer.submit_many(jobs, deadline), deadline)
        self._metrics.count_work("/v1/completions", len(jobs), sum(len(job.prompt) for job in jobs))
        return completion_answer(jobs, results, summarizer.engine.info.name, int(time.time()))

    async def models(self) -> dict[str, Any]:
        """GET /v1/models, with the route that each model answers as `task`."""
        cards = [
            {
                "id": hosted.engine.info.name,
                "object": "model",
                "created": self._created_s,
                "owned_by": "nearline",
                "max_model_len": hosted.engine.info.context_tokens,
                "task": task,
            }
            for task, hosted in self._hosted.items()
        ]
        return {"object": "list", "data": cards}

    async def health(self) -> Response:
        """200 while every model thread lives."""
        alive = all(hosted.batcher.alive for hosted in self._hosted.values())
        return JSONResponse({"status": "ok" if alive else "a model thread ended"}, 200 if alive else 503)

    async def metrics_page(self) -> Response:
        """Prometheus text."""
        return Response(generate_latest(self._metrics.registry), media_type=CONTENT_TYPE_LATEST)

    def _deadline(self, request: Request) -> float:
        text = request.headers.get(DEADLINE_HEADER)
        limit_s = self._limits.default_deadline_s
        try:
            left_s = limit_s if text is None else float(text) / 1000
        except ValueError as error:
            msg = f"{DEADLINE_HEADER} must be a number of milliseconds"
            raise BadRequest(msg) from error
        if not math.isfinite(left_s):
            msg = f"{DEADLINE_HEADER} must be finite"
            raise BadRequest(msg)
        return time.monotonic() + min(left_s, limit_s)


def _require(model: Any, role: str) -> Any:
    if model is None:
        msg = f"no {role} is served here: start the server with --{role} DIR"
        raise BadRequest(msg, status=404)
    return model


async def _answer(request: Request, handler: Handler) -> Response:
    try:
        return JSONResponse(await handler(request))
    except BadRequest as error:
        return _error(error.status, str(error))
    except ModelUnavailable as error:
        return _error(503, str(error), {"Retry-After": str(math.ceil(error.retry_after_s))})
    except HungUp:
        return Response(status_code=499)
    except Exception:  # a request must never end the server; the traceback goes to the log
        log.exception("a request to %s failed", request.url.path)
        return _error(500, "the model failed on this request; the server's log says why")


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    kind = ERROR_TYPES.get(status, "BadRequestError" if status < 500 else "InternalServerError")
    body = {"object": "error", "message": message, "type": kind, "param": None, "code": status}
    return JSONResponse(body, status, headers)


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  (registered for it)
    return _error(error.status_code, str(error.detail))
