"""POST /v1/embeddings: from the request's body to the vectors of its texts."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from fastapi import Request

from models.server.embeddings import embed_jobs, embedding_answer
from models.server.requests import EmbeddingBody, parse
from models.server.routes.shared import SMALL_BODY, Shared, in_thread_if
from models.server.service import ServedModels
from models.server.traffic import priority_of
from models.server.transport import finish

EMBED = "/v1/embeddings"


class EmbeddingRoute:
    """Answers with the embedder's vectors, in OpenAI's form."""

    def __init__(self, served: ServedModels, shared: Shared) -> None:
        self._served, self._shared = served, shared

    async def embeddings(self, request: Request, deadline: float) -> dict[str, Any]:
        """POST /v1/embeddings."""
        embedder, shared = self._served.need_embedder(), self._shared
        with contextlib.ExitStack() as held:
            async with shared.bodies.read(request) as body:
                asked = await in_thread_if(len(body) > SMALL_BODY, parse, EmbeddingBody, body)
                embedder.check_model(asked.model)
                aborted = held.enter_context(shared.in_hand.holding(asked.rid))
                jobs = await asyncio.to_thread(embed_jobs, asked, embedder.engine, shared.limits)
            batcher, priority = embedder.batcher, priority_of(request, asked.priority)
            futures = batcher.submit_many(jobs, deadline, priority)
            vectors = await finish(request, futures, deadline, aborted, lambda: batcher.withdraw(futures))
        shared.metrics.count_work(EMBED, len(jobs), sum(job.tokens for job in jobs))
        return embedding_answer(asked, jobs, vectors, embedder.engine)
