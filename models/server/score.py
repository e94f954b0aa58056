"""POST /v1/score: a request becomes jobs for the engine, their scores become SGLang's answer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from models.engine.base import Engine, ModelInfo, ScoreJob, ScoreReport
from models.server.checks import check_ids, check_length, check_total, usage
from models.server.config import Limits
from models.server.requests import BadRequest, ScoreBody

PREFIXES = 8
"""A part of a long request has at least this many times the tokens of its prefix, which each part computes again."""
COLDEST = 1e-30
"""Lowest temperature: logits divided by it stay finite in fp32, and the likeliest label already has probability 1."""
HIDDEN_NUMBERS = 2**18
"""Most numbers of the hidden states in one answer: 5 MB of JSON, made in about 30 ms."""
LOWEST = -104.0
"""Logarithm given for a probability that is 0 in fp32; the smallest above 0 is 1.4e-45, e to the -103.3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """A checked request and its jobs; the jobs' items, in order, are the request's."""

    body: ScoreBody
    jobs: list[ScoreJob]
    items: int
    tokens: int
    prompt_tokens: int

    @property
    def cached_tokens(self) -> int:
        """Prompt tokens that were not computed, since another prompt has the same; 0 if the engine does not tell."""
        computed = [job.report.computed_tokens for job in self.jobs]
        known = sum(tokens for tokens in computed if tokens is not None)
        return self.prompt_tokens - known if computed and None not in computed else 0


def score_request(body: ScoreBody, engine: Engine, limits: Limits, batch_tokens: int) -> Scoring:
    """Return a request's jobs; BadRequest for input that the engine does not check itself. Slow: it tokenizes text."""
    _check_kind(body)
    if not body.items:  # SGLang answers this before it checks the labels
        return Scoring(body=body, jobs=[], items=0, tokens=0, prompt_tokens=0)
    items = [body.items] if isinstance(body.items, str) else body.items
    if len(items) > limits.items:
        raise BadRequest(f"{len(items)} items in one request, at most {limits.items} are allowed")
    if body.return_pooled_hidden_states:
        _check_hidden(len(items), engine.info.hidden_size)
    job = ScoreJob(
        prefix=[],
        items=[],
        labels=_labels(body.label_token_ids, len(items), engine.info.vocab_size, limits.labels),
        softmax_over_labels=body.apply_softmax and not body.return_token_logprobs,
        temperature=1.0 if body.return_token_logprobs else max(COLDEST, body.temperature),
        hidden_states=body.return_pooled_hidden_states,
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
    """Split a request that is larger than one batch into several jobs, so that other callers' jobs come in between."""
    if job.tokens <= batch_tokens:
        yield job
        return
    size = max(batch_tokens // 4, PREFIXES * len(job.prefix))
    start = held = 0
    for end, item in enumerate(job.items):
        if held and held + len(item) > size:
            yield _part(job, start, end)
            start, held = end, 0
        held += len(item)
    yield _part(job, start, len(job.items))


def _part(job: ScoreJob, start: int, end: int) -> ScoreJob:
    return replace(job, items=job.items[start:end], labels=job.labels[start:end], report=ScoreReport())


def score_answer(scoring: Scoring, scores: Sequence[list[list[float]]], info: ModelInfo) -> dict[str, Any]:
    """Return SGLang's answer, its usage with whole prompts; ArithmeticError for a score that is not finite.

    Scores are calibrated here and nowhere else in the server; logprobs are the model's own.
    """
    rows = [row for part in scores for row in part]
    if not all(math.isfinite(value) for row in rows for value in row):
        raise ArithmeticError("the model's scores are not finite")
    logprobs = None
    if scoring.body.return_token_logprobs:
        logprobs = [[math.log(value) if value else LOWEST for value in row] for row in rows]
        if scoring.body.apply_softmax:
            rows = [_softmax(row, scoring.body.temperature) for row in logprobs]
    if info.calibrated and scoring.body.apply_softmax and scoring.body.temperature == 1.0:
        labels = [labels for job in scoring.jobs for labels in job.labels]
        rows = [info.calibrated.scores(*each) for each in zip(labels, rows, strict=True)]
    return {
        "scores": rows,
        "pooled_hidden_states": _hidden_states(scoring) if scoring.body.return_pooled_hidden_states else None,
        "token_logprobs": logprobs,
        "model": info.name,
        "usage": usage(scoring.prompt_tokens, 0, scoring.cached_tokens),
        "object": "scoring",
    }


def _hidden_states(scoring: Scoring) -> list[list[float]]:
    return [row for job in scoring.jobs for row in job.report.hidden_states or ()]


def _softmax(logprobs: list[float], temperature: float) -> list[float]:
    weights = [math.exp((value - max(logprobs)) / temperature) for value in logprobs]
    return [weight / sum(weights) for weight in weights]


def _check_kind(body: ScoreBody) -> None:
    """Raise BadRequest for fields that this server or a decoder model cannot answer."""
    if body.temperature != 1.0 and not body.apply_softmax:
        raise BadRequest("temperature requires apply_softmax=true")
    for name in ("score_extraction_token", "query_embed_overrides", "item_embed_overrides"):
        if getattr(body, name) is not None:
            raise BadRequest(f"{name} is not served: leave it out")


def _check_hidden(items: int, size: int) -> None:
    """Raise BadRequest if there are no hidden states, or more numbers in them than one answer may hold."""
    if not size:
        raise BadRequest(
            "return_pooled_hidden_states is not served: this model is a stand-in without hidden states"
        )
    if items * size > HIDDEN_NUMBERS:
        raise BadRequest(
            f"return_pooled_hidden_states of {items} items: at most {HIDDEN_NUMBERS // size} of {size} numbers each"
        )


def _labels(given: Any, items: int, vocab_size: int, limit: int) -> list[list[int]]:
    """Return the label ids of each item; a list that the request gives for all items is shared, not copied."""
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
    """Return the shared prefix and the rest of each prompt; text is joined, then tokenized, as SGLang does."""
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
