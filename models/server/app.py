"""The routes: /v1/score, /v1/completions, /v1/models, /health, /metrics."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, ParamSpec, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from models.engine.base import Generated, GenerateJob, ModelInfo, ScoreJob
from models.engine.batcher import Batcher
from models.server.answers import Content, answered, error_response, http_error, json_response
from models.server.complete import completion_answer, envelope, generate_jobs
from models.server.config import Limits
from models.server.generative_scoring import generative_answer, generative_request
from models.server.in_hand import Aborted, InHand
from models.server.metrics import ServerMetrics
from models.server.openapi import (
    DEADLINE_HEADER,
    ERRORS,
    NESTED_ERRORS,
    TTL_HEADER,
    Card,
    Cards,
    CompletionAnswer,
    GenerativeScoringAnswer,
    Health,
    ScoreAnswer,
    request_of,
)
from models.server.pauses import LagProbe, collections_timed
from models.server.requests import (
    DEFAULT_MODEL,
    AbortBody,
    BadRequest,
    CompletionBody,
    GenerativeScoringBody,
    ScoreBody,
    parse,
)
from models.server.score import Scoring, score_answer, score_request
from models.server.service import Hosted, base_name
from models.server.streaming import Growing, events
from models.server.transport import BodyReader, RequestAborted, finish

SMALL_BODY = 65_536
"""Bytes up to which a body is parsed on the event loop, in 1 or 2 ms; a larger one is parsed in a thread."""

SCORE, COMPLETE, GENERATIVE = "/v1/score", "/v1/completions", "/generative_scoring"
ABORT = "/abort_request"
UNBUFFERED = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
ABORTED = Generated(text="", tokens=0, finish_reason="abort")
SUMMARY = "Score items by label tokens, in vLLM's form"

HostedRanker = Hosted[ScoreJob, list[list[float]]]
HostedSummarizer = Hosted[GenerateJob, Generated]
Handler = Callable[[Request, float], Awaitable[Content]]
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
        (SCORE, "Score items by label tokens", routes.score, ScoreBody, ScoreAnswer),
        (COMPLETE, "Continue prompts", routes.complete, CompletionBody, CompletionAnswer),
        (GENERATIVE, SUMMARY, routes.generative_scoring, GenerativeScoringBody, GenerativeScoringAnswer),
    ):
        nested = path == GENERATIVE
        app.add_api_route(
            path,
            routes.answering(path, handler, nested=nested),
            methods=["POST"],
            summary=summary,
            operation_id=handler.__name__,
            responses={200: {"model": answer}, **(NESTED_ERRORS if nested else ERRORS)},
            openapi_extra=request_of(body),
        )
    app.add_api_route(
        ABORT,
        routes.answering(ABORT, routes.abort),
        methods=["POST"],
        summary="Abort one request, or all",
        operation_id="abort",
        responses={200: {"content": {}}, **ERRORS},
        openapi_extra=request_of(AbortBody),
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
    app.add_exception_handler(HTTPException, http_error)
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
        self._bodies, self._in_hand = BodyReader(limits), InHand()
        self._created_s = int(time.time())

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """Measure the pauses of the event loop and the garbage collector while the application serves."""
        probe = LagProbe(self._metrics.loop_lag)
        with collections_timed(self._metrics.collections):
            yield
        probe.stop()

    def answering(
        self, route: str, handler: Handler, *, nested: bool = False
    ) -> Callable[[Request], Awaitable[Response]]:
        """Wrap a handler: failures become HTTP answers, and every answer is counted with the time it took."""
        self._metrics.expect(route)

        async def handle(request: Request) -> Content:
            return await handler(request, self._deadline(request))

        async def answer(request: Request) -> Response:
            start = time.monotonic()
            response, refusal = await answered(request, handle, nested=nested)
            self._metrics.observe(route, response.status_code, refusal, time.monotonic() - start)
            return response

        return answer

    async def score(self, request: Request, deadline: float) -> dict[str, Any]:
        """POST /v1/score."""
        ranker: HostedRanker = _require(self._ranker, "ranker")
        with contextlib.ExitStack() as held:
            async with self._bodies.read(request) as body:
                large = len(body) > SMALL_BODY
                asked = await _run(large, parse, ScoreBody, body)
                ranker.check_model(asked.model)
                aborted = held.enter_context(self._in_hand.holding(asked.rid))
                slow = large or isinstance(asked.query, str)
                batch_tokens = ranker.batcher.config.batch_tokens
                scoring = await _run(slow, score_request, asked, ranker.engine, self._limits, batch_tokens)
            return await self._scored(SCORE, request, scoring, deadline, asked.priority or 0, aborted)

    async def generative_scoring(self, request: Request, deadline: float) -> dict[str, Any]:
        """POST /generative_scoring; vLLM takes the lowest priority first."""
        ranker: HostedRanker = _require(self._ranker, "ranker")
        with contextlib.ExitStack() as held:
            async with self._bodies.read(request) as body:
                asked = await _run(len(body) > SMALL_BODY, parse, GenerativeScoringBody, body)
                ranker.check_model(asked.model or DEFAULT_MODEL)
                aborted = held.enter_context(self._in_hand.holding(asked.request_id))
                batch_tokens = ranker.batcher.config.batch_tokens
                scoring = await asyncio.to_thread(
                    generative_request, asked, ranker.engine, self._limits, batch_tokens
                )
            scored = await self._scored(GENERATIVE, request, scoring, deadline, -asked.priority, aborted)
        return generative_answer(scoring, scored, asked.request_id, int(time.time()))

    async def _scored(
        self,
        route: str,
        request: Request,
        scoring: Scoring,
        deadline: float,
        priority: int,
        aborted: Aborted,
    ) -> dict[str, Any]:
        ranker: HostedRanker = _require(self._ranker, "ranker")
        batcher = ranker.batcher
        futures = batcher.submit_many(scoring.jobs, deadline, priority)
        scores = await finish(request, futures, deadline, aborted, lambda: batcher.withdraw(futures))
        self._metrics.count_work(route, scoring.items, scoring.tokens)
        return score_answer(scoring, scores, ranker.engine.info)

    async def complete(self, request: Request, deadline: float) -> Content:
        """POST /v1/completions, whole or as a stream."""
        summarizer: HostedSummarizer = _require(self._summarizer, "summarizer")
        with contextlib.ExitStack() as held:
            async with self._bodies.read(request) as body:
                asked = await _run(len(body) > SMALL_BODY, parse, CompletionBody, body)
                summarizer.check_model(asked.model)
                aborted = held.enter_context(self._in_hand.holding(asked.rid))
                jobs = await asyncio.to_thread(generate_jobs, asked, summarizer.engine, self._limits)
            head = envelope(asked.rid, summarizer.engine.info.name, int(time.time()))
            results = self._generated(request, jobs, deadline, asked.priority, aborted)
            if not asked.stream:
                return completion_answer(jobs, await results, head)
            usage = asked.stream_options is not None and asked.stream_options.include_usage
            failed = partial(self._metrics.count_ended, COMPLETE)
            stream = events(jobs, results, Growing(jobs), head, failed, usage=usage)
            first = await anext(stream)
            return StreamingResponse(
                _after(first, stream, held.pop_all()), media_type="text/event-stream", headers=UNBUFFERED
            )

    async def _generated(
        self,
        request: Request,
        jobs: Sequence[GenerateJob],
        deadline: float,
        priority: int,
        aborted: Aborted,
    ) -> list[Generated]:
        """Return the continuations; those of an aborted request are what there was of them."""
        batcher: Batcher[GenerateJob, Generated] = _require(self._summarizer, "summarizer").batcher
        futures = batcher.submit_many(jobs, deadline, priority)

        def give_up() -> None:
            for job in jobs:
                job.course.aborted = True
            batcher.withdraw(futures)

        try:
            results = await finish(request, futures, deadline, aborted, give_up)
        except RequestAborted:
            self._metrics.count_ended(COMPLETE, "aborted")
            return await remains(futures, deadline)
        self._metrics.count_work(COMPLETE, len(jobs), sum(len(job.prompt) for job in jobs))
        return results

    async def abort(self, request: Request, _deadline: float) -> Response:
        """POST /abort_request: answered 200 whether or not a request has the id, as SGLang does."""
        async with self._bodies.read(request) as body:
            asked = parse(AbortBody, body)
        self._in_hand.abort(None if asked.abort_all else asked.rid)
        return Response()

    async def models(self) -> Response:
        """GET /v1/models, with the route that each model answers as `task`."""
        return json_response({"object": "list", "data": self._cards()})

    async def model(self, model: str) -> Response:
        """GET /v1/models/{model}: the card of a served model by its name or that of another generation, else 404."""
        cards = self._cards()
        alike = [card for card in cards if base_name(card["id"]) == base_name(model)]
        found = [card for card in cards if card["id"] == model] or alike
        if not found:
            names = ", ".join(repr(card["id"]) for card in cards) or "no model"
            return error_response(404, f"model {model[:99]!r} is not served here, but {names}")
        return json_response(found[0])

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
                **_calibrated(hosted.engine.info),
            }
            for task, hosted in self._hosted.items()
        ]

    async def health(self) -> Response:
        """GET /health: 200 while every model thread runs, else 503."""
        alive = all(hosted.batcher.alive for hosted in self._hosted.values())
        return json_response({"status": "ok" if alive else "a model thread ended"}, 200 if alive else 503)

    async def metrics_page(self) -> Response:
        """GET /metrics: the metrics in Prometheus text format."""
        return Response(generate_latest(self._metrics.registry), media_type=CONTENT_TYPE_LATEST)

    def _deadline(self, request: Request) -> float:
        left_s = [_seconds(request, name) for name in (DEADLINE_HEADER, TTL_HEADER)]
        ttl_s = left_s[1]
        if ttl_s is not None and ttl_s < 0:
            raise BadRequest(f"{TTL_HEADER} must not be negative")
        return time.monotonic() + min([self._limits.deadline_s, *(one for one in left_s if one is not None)])


def _calibrated(info: ModelInfo) -> dict[str, Any]:
    """What a card says of a calibration: whether scores are calibrated, and the threshold that it gives."""
    held = info.calibrated
    return {
        "calibrated": held is not None,
        "alert_threshold": held.calibration.threshold if held else None,
    }


def _seconds(request: Request, header: str) -> float | None:
    """Return a header's milliseconds in seconds, or None without it; BadRequest for what is no finite number."""
    text = request.headers.get(header)
    if text is None:
        return None
    try:
        left_s = float(text) / 1000
    except ValueError as error:
        raise BadRequest(f"{header} must be a number of milliseconds") from error
    if not math.isfinite(left_s):
        raise BadRequest(f"{header} must be finite")
    return left_s


async def remains(futures: Sequence[Future[Generated]], deadline: float) -> list[Generated]:
    """Return what there is of aborted continuations once those under way have ended at their next token."""
    under_way = [asyncio.wrap_future(future) for future in futures if not future.cancelled()]
    if under_way:
        await asyncio.wait(under_way, timeout=max(0.0, deadline - time.monotonic()))
    return [
        future.result() if future.done() and not future.cancelled() and not future.exception() else ABORTED
        for future in futures
    ]


async def _after(
    first: bytes, stream: AsyncGenerator[bytes, None], held: contextlib.ExitStack
) -> AsyncIterator[bytes]:
    """Yield the first event and the others; the request's id is in use until the last."""
    with held:
        async with contextlib.aclosing(stream):
            yield first
            async for event in stream:
                yield event


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
