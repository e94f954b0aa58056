"""POST /generative_scoring: vLLM's request and answer for the scores that /v1/score gives in SGLang's."""

from __future__ import annotations

import uuid
from typing import Any

from models.engine.base import Engine
from models.server.checks import usage
from models.server.config import Limits
from models.server.requests import BadRequest, GenerativeScoringBody, ScoreBody
from models.server.score import Scoring, score_request


def generative_request(
    body: GenerativeScoringBody, engine: Engine, limits: Limits, batch_tokens: int
) -> Scoring:
    """Return a request's jobs, query and items tokenized apart as vLLM does it; BadRequest as `score_request`.

    Slow: it tokenizes text.
    """
    if not body.items:
        raise BadRequest("items must contain at least one item")
    if len(body.items) > limits.items:
        raise BadRequest(f"{len(body.items)} items in one request, at most {limits.items} are allowed")
    query, items = body.query, list[Any](body.items)
    if isinstance(query, str):
        (query,) = engine.encode_many([query], special_tokens=body.add_special_tokens)
    if isinstance(items[0], str):
        items = engine.encode_many(items, special_tokens=False)
    asked = ScoreBody.model_construct(
        query=query,
        items=items,
        label_token_ids=body.label_token_ids,
        apply_softmax=body.apply_softmax,
        item_first=body.item_first,
    )
    return score_request(asked, engine, limits, batch_tokens)


def generative_answer(
    scoring: Scoring, scored: dict[str, Any], request_id: str | None, created_s: int
) -> dict[str, Any]:
    """Return vLLM's answer: of each item the first label's score. `scored` is the answer in SGLang's form.

    vLLM generates a token for each item and counts it.
    """
    return {
        "id": f"generative-scoring-{request_id or uuid.uuid4().hex}",
        "object": "list",
        "created": created_s,
        "model": scored["model"],
        "data": [
            {"index": index, "object": "score", "score": row[0]} for index, row in enumerate(scored["scores"])
        ],
        "usage": usage(scoring.prompt_tokens, scoring.items, scoring.cached_tokens),
    }
