"""POST /v1/score: from a request to jobs, and from their scores to SGLang's answer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from models.engine.base import Engine, ScoreJob
from models.server.checks import check_ids, check_length, check_total, usage
from models.server.config import Limits
from models.server.requests import BadRequest, ScoreBody

PREFIXES = 8
"""A part of a long request is so many times its prefix at least, which every part computes anew."""
COLDEST = 1e-30
"""Logits over it are still fp32 numbers; below it as at it the likeliest label gets everything."""
LOWEST = -104.0
"""The logarithm given for a probability that is 0 in fp32: the next above it is 1.4e-45, e to the -103.3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """A checked request: its jobs, whose rows one after the other are those of its items."""

    body: ScoreBody
    jobs: list[ScoreJob]
    items: int
    tokens: int
    prompt_tokens: int


def score_request(body: ScoreBody, engine: Engine, limits: Limits, batch_tokens: int) -> Scoring:
    """The jobs of a request; BadRequest for what the engine must never see. Tokenizes text: slow."""
    _check_kind(body)
    if not body.items:  # SGLang answers this before it looks at the labels
        return Scoring(body=body, jobs=[], items=0, tokens=0, prompt_tokens=0)
    items = [body.items] if isinstance(body.items, str) else body.items
    if len(items) > limits.items:
        raise BadRequest(f"{len(items)} items in one request, at most {limits.items} are allowed")
    job = ScoreJob(
        prefix=[],
        items=[],
        labels=_labels(body.label_token_ids, len(items), engine.info.vocab_size, limits.labels),
        softmax_over_labels=body.apply_softmax and not body.return_token_logprobs,
        temperature=1.0 if body.return_token_logprobs else max(COLDEST, body.temperature),
    )
    prefix, rows = _rows(body, items, engine)
    job = replace(job, prefix=prefix, items=rows)
    _check_prompts(job, engine, limits)
    return Scoring(
        body=body,
        jobs=list(parts(job, batch_tokens)),
        items=len(items),
        tokens=job.tokens,
        prompt_tokens=job.tokens + len(prefix) * (len(items) - 1),
    )


def parts(job: ScoreJob, batch_tokens: int) -> Iterator[ScoreJob]:
    """A request over one batch as several jobs, between which others have their turn."""
    if job.tokens <= batch_tokens:
        yield job
        return
    size = max(batch_tokens // 4, PREFIXES * len(job.prefix))
    start = held = 0
    for end, item in enumerate(job.items):
        if held and held + len(item) > size:
            yield replace(job, items=job.items[start:end], labels=job.labels[start:end])
            start, held = end, 0
        held += len(item)
    yield replace(job, items=job.items[start:], labels=job.labels[start:])


def score_answer(scoring: Scoring, scores: Sequence[list[list[float]]], model: str) -> dict[str, Any]:
    """SGLang's answer; usage counts every prompt whole. Raises ArithmeticError for a score that is no number."""
    rows = [row for part in scores for row in part]
    if not all(math.isfinite(value) for row in rows for value in row):
        raise ArithmeticError("the model's scores are not finite")
    logprobs = None
    if scoring.body.return_token_logprobs:
        logprobs = [[math.log(value) if value else LOWEST for value in row] for row in rows]
        if scoring.body.apply_softmax:
            rows = [_softmax(row, scoring.body.temperature) for row in logprobs]
    return {
        "scores": rows,
        "pooled_hidden_states": None,
        "token_logprobs": logprobs,
        "model": model,
        "usage": usage(scoring.prompt_tokens, 0),
        "object": "scoring",
    }


def _softmax(logprobs: list[float], temperature: float) -> list[float]:
    weights = [math.exp((value - max(logprobs)) / temperature) for value in logprobs]
    return [weight / sum(weights) for weight in weights]


def _check_kind(body: ScoreBody) -> None:
    """Refuse what this kind of model, or this server, cannot answer."""
    if body.temperature != 1.0 and not body.apply_softmax:
        raise BadRequest("temperature requires apply_softmax=true")
    if body.return_pooled_hidden_states:
        raise BadRequest("return_pooled_hidden_states is not served: a decoder has no pooled states")
    for name in ("score_extraction_token", "query_embed_overrides", "item_embed_overrides"):
        if getattr(body, name) is not None:
            raise BadRequest(f"{name} is not served: leave it out")


def _labels(given: Any, items: int, vocab_size: int, limit: int) -> list[list[int]]:
    """The labels of each item; the one list of all where the request has one."""
    if not given or not isinstance(given[0], list):
        _check_labels(given, vocab_size, limit)
        return [given] * items
    if len(given) != items:
        raise BadRequest(
            f"label_token_ids holds {len(given)} lists, the request {items} items: one list for each"
        )
    for labels in given:
        _check_labels(labels, vocab_size, limit)
    return list(given)


def _check_labels(labels: list[int], vocab_size: int, limit: int) -> None:
    if not labels:
        raise BadRequest("label_token_ids must not be empty")
    if len(labels) > limit:
        raise BadRequest(f"label_token_ids holds {len(labels)} ids, at most {limit} are allowed")
    if len(set(labels)) < len(labels):
        raise BadRequest("label_token_ids holds duplicates")
    check_ids(labels, vocab_size, "label_token_ids")


def _rows(body: ScoreBody, items: Any, engine: Engine) -> tuple[list[int], list[list[int]]]:
    """Shared prefix and the rest of each prompt; text is joined before it is tokenized, as SGLang does."""
    text = isinstance(items[0], str)
    query = ("" if text else []) if body.query is None else body.query
    if isinstance(query, str) != text:
        one, other = ("text", "token ids") if isinstance(query, str) else ("token ids", "text")
        raise BadRequest(f"query is {one} but items are {other}: send both as ids, or both as text")
    joined = [item + query for item in items] if body.item_first else None
    if isinstance(query, str):
        return [], engine.encode_many(joined or [query + item for item in items])
    return ([], joined) if joined else (query, items)


def _check_prompts(job: ScoreJob, engine: Engine, limits: Limits) -> None:
    info, shared = engine.info, len(job.prefix)
    check_total(job.tokens, limits)
    check_ids(job.prefix, info.vocab_size, "query")
    for index, row in enumerate(job.items):
        check_ids(row, info.vocab_size, f"item {index}")
        check_length(shared + len(row), info.context_tokens, f"query and item {index}")
