"""POST /v1/score and POST /generative_scoring: from the request's body to the scores of its items."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from fastapi import Request

from models.server.generative_scoring import generative_answer, generative_request
from models.server.in_hand import Aborted
from models.server.requests import DEFAULT_MODEL, GenerativeScoringBody, ScoreBody, parse
from models.server.routes.shared import SMALL_BODY, Shared, in_thread_if
from models.server.score import Scoring, score_answer, score_request
from models.server.service import HostedRanker, ServedModels
from models.server.traffic import priority_of
from models.server.transport import finish

SCORE, GENERATIVE = "/v1/score", "/generative_scoring"


class ScoringRoutes:
    """Answers with the ranker's scores, in SGLang's or vLLM's form."""

    def __init__(self, served: ServedModels, shared: Shared) -> None:
        self._served, self._shared = served, shared

    async def score(self, request: Request, deadline: float) -> dict[str, Any]:
        """POST /v1/score."""
        ranker, shared = self._served.need_ranker(), self._shared
        with contextlib.ExitStack() as held:
            async with shared.bodies.read(request) as body:
                large = len(body) > SMALL_BODY
                asked = await in_thread_if(large, parse, ScoreBody, body)
                ranker.check_model(asked.model)
                aborted = held.enter_context(shared.in_hand.holding(asked.rid))
                slow = large or isinstance(asked.query, str)
                batch_tokens = ranker.batcher.config.batch_tokens
                scoring = await in_thread_if(
                    slow, score_request, asked, ranker.engine, shared.limits, batch_tokens
                )
            priority = priority_of(request, asked.priority)
            return await self._scored(SCORE, request, ranker, scoring, deadline, priority, aborted)

    async def generative_scoring(self, request: Request, deadline: float) -> dict[str, Any]:
        """POST /generative_scoring; vLLM takes the lowest priority first."""
        ranker, shared = self._served.need_ranker(), self._shared
        with contextlib.ExitStack() as held:
            async with shared.bodies.read(request) as body:
                asked = await in_thread_if(len(body) > SMALL_BODY, parse, GenerativeScoringBody, body)
                ranker.check_model(asked.model or DEFAULT_MODEL)
                aborted = held.enter_context(shared.in_hand.holding(asked.request_id))
                batch_tokens = ranker.batcher.config.batch_tokens
                scoring = await asyncio.to_thread(
                    generative_request, asked, ranker.engine, shared.limits, batch_tokens
                )
            scored = await self._scored(
                GENERATIVE, request, ranker, scoring, deadline, priority_of(request, -asked.priority), aborted
            )
        return generative_answer(scoring, scored, asked.request_id, int(time.time()))

    async def _scored(
        self,
        route: str,
        request: Request,
        ranker: HostedRanker,
        scoring: Scoring,
        deadline: float,
        priority: int,
        aborted: Aborted,
    ) -> dict[str, Any]:
        batcher = ranker.batcher
        futures = batcher.submit_many(scoring.jobs, deadline, priority)
        scores = await finish(request, futures, deadline, aborted, lambda: batcher.withdraw(futures))
        self._shared.metrics.count_work(route, scoring.items, scoring.tokens)
        return score_answer(scoring, scores, ranker.engine.info)
