"""The application: each route's path, handler and description."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from models.server.answers import http_error
from models.server.config import Limits
from models.server.metrics import ServerMetrics
from models.server.openapi import (
    ERRORS,
    NESTED_ERRORS,
    Card,
    Cards,
    CompletionAnswer,
    EmbeddingAnswer,
    GenerativeScoringAnswer,
    Health,
    ScoreAnswer,
    request_of,
)
from models.server.pauses import LagProbe, collections_timed
from models.server.requests import (
    AbortBody,
    CompletionBody,
    EmbeddingBody,
    GenerativeScoringBody,
    ScoreBody,
)
from models.server.routes.abort import ABORT, AbortRoute
from models.server.routes.completions import COMPLETE, CompletionRoute
from models.server.routes.embeddings import EMBED, EmbeddingRoute
from models.server.routes.overview import OverviewRoutes
from models.server.routes.scoring import GENERATIVE, SCORE, ScoringRoutes
from models.server.routes.shared import Handler, Shared
from models.server.service import ServedModels

Responses = dict[int | str, dict[str, Any]]
"""What a route answers, by status, as FastAPI describes it."""


def create_app(served: ServedModels, limits: Limits) -> FastAPI:
    """Return the application that serves these models; a route without its model answers 404."""
    metrics = ServerMetrics(served.by_task())
    lifespan = partial(_pauses_measured, metrics)
    app = FastAPI(title="nearline model server", docs_url=None, redoc_url=None, lifespan=lifespan)
    _add_posts(app, served, Shared(limits, metrics))
    _add_gets(app, OverviewRoutes(served, metrics))
    app.add_exception_handler(HTTPException, http_error)
    return app


@contextlib.asynccontextmanager
async def _pauses_measured(metrics: ServerMetrics, _app: FastAPI) -> AsyncIterator[None]:
    """Measure the pauses of the event loop and the garbage collector while the application serves."""
    probe = LagProbe(metrics.loop_lag)
    with collections_timed(metrics.collections):
        yield
    probe.stop()


def _add_posts(app: FastAPI, served: ServedModels, shared: Shared) -> None:
    scoring, completions = ScoringRoutes(served, shared), CompletionRoute(served, shared)
    add = partial(_add_post, app, shared)
    add(SCORE, "Score items by label tokens", scoring.score, ScoreBody, {"model": ScoreAnswer})
    add(COMPLETE, "Continue prompts", completions.complete, CompletionBody, {"model": CompletionAnswer})
    in_vllms_form = "Score items by label tokens, in vLLM's form"
    answer = {"model": GenerativeScoringAnswer}
    add(GENERATIVE, in_vllms_form, scoring.generative_scoring, GenerativeScoringBody, answer, nested=True)
    embeddings = EmbeddingRoute(served, shared).embeddings
    add(EMBED, "Embed texts", embeddings, EmbeddingBody, {"model": EmbeddingAnswer})
    add(ABORT, "Abort one request, or all", AbortRoute(shared).abort, AbortBody, {"content": {}})


def _add_post(
    app: FastAPI,
    shared: Shared,
    path: str,
    summary: str,
    handler: Handler,
    body: type[BaseModel],
    answer: dict[str, Any],
    *,
    nested: bool = False,
) -> None:
    app.add_api_route(
        path,
        shared.answering(path, handler, nested=nested),
        methods=["POST"],
        summary=summary,
        operation_id=handler.__name__,
        responses={200: answer, **(NESTED_ERRORS if nested else ERRORS)},
        openapi_extra=request_of(body),
    )


def _add_gets(app: FastAPI, overview: OverviewRoutes) -> None:
    one: Responses = {200: {"model": Card}, 404: ERRORS[404]}
    both: Responses = {200: {"model": Health}, 503: {"model": Health}}
    text: Responses = {200: {"content": {CONTENT_TYPE_LATEST: {}}}}
    app.add_api_route("/v1/models", overview.models, methods=["GET"], responses={200: {"model": Cards}})
    app.add_api_route("/v1/models/{model:path}", overview.model, methods=["GET"], responses=one)
    app.add_api_route("/health", overview.health, methods=["GET"], responses=both)
    app.add_api_route(
        "/metrics", overview.metrics_page, methods=["GET"], responses=text, response_class=Response
    )
