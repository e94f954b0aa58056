"""From a checked request to jobs of a hosted model, and from their results to SGLang's answers."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from models.engine.base import Engine, Generated, GenerateJob, ScoreJob
from models.engine.batcher import BatchConfig, Batcher, Costed
from models.server.config import Limits
from models.server.requests import (
    DEFAULT_MODEL,
    BadRequest,
    CompletionBody,
    ScoreBody,
    check_ids,
    check_labels,
)

Job = TypeVar("Job", bound=Costed)
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Hosted(Generic[Job, Result]):
    """One engine behind its queue."""

    engine: Engine
    batcher: Batcher[Job, Result]

    def submit_many(self, jobs: Sequence[Job], deadline: float) -> list[Future[Result]]:
        """Queue all jobs of a request or none; raises ModelUnavailable."""
        futures: list[Future[Result]] = []
        try:
            for job in jobs:
                futures.append(self.batcher.submit(job, deadline))  # noqa: PERF401  (those queued are undone)
        except Exception:
            for future in futures:
                future.cancel()
            raise
        return futures

    def pending_tokens(self) -> float:
        """Tokens waiting or running."""
        return self.batcher.pending_tokens

    def check_model(self, asked: str) -> None:
        """Refuse another model's name; another generation of this one is answered with the true name."""
        name = self.engine.info.name
        if asked != DEFAULT_MODEL and base_name(asked) != base_name(name):
            msg = f"model {asked!r} is not served here, {name!r} is"
            raise BadRequest(msg, status=404)


def base_name(model: str) -> str:
    """`ranker` of `ranker@7`."""
    return model.partition("@")[0]


def host_ranker(engine: Engine, config: BatchConfig) -> Hosted[ScoreJob, list[list[float]]]:
    """A ranker with a model thread of its own."""
    return Hosted(engine, Batcher(engine.score_many, config))


def host_summarizer(engine: Engine, config: BatchConfig) -> Hosted[GenerateJob, Generated]:
    """A summarizer with a model thread of its own."""
    return Hosted(engine, Batcher(engine.generate_many, config))


def score_job(body: ScoreBody, engine: Engine, limits: Limits) -> ScoreJob:
    """The job of a score request; BadRequest for what the engine must never see. Tokenizes text: slow."""
    info = engine.info
    check_labels(body.label_token_ids, info.vocab_size, limits.labels)
    items: list[str | list[int]] = [body.items] if isinstance(body.items, str) else [*body.items]
    if len(items) > limits.items:
        msg = f"{len(items)} items in one request, at most {limits.items} are allowed"
        raise BadRequest(msg)
    prefix, rows = _rows(body, items, engine)
    for index, row in enumerate(rows):
        check_ids(row, info.vocab_size, f"item {index}")
        _check_length(len(prefix) + len(row), info.context_tokens, f"query and item {index}")
    check_ids(prefix, info.vocab_size, "query")
    job = ScoreJob(
        prefix=prefix,
        items=rows,
        labels=[body.label_token_ids] * len(rows),
        softmax_over_labels=body.apply_softmax,
        temperature=body.temperature,
    )
    _check_total(job.tokens, limits)
    return job


def _rows(
    body: ScoreBody, items: Sequence[str | list[int]], engine: Engine
) -> tuple[list[int], list[list[int]]]:
    """Shared prefix and the rest of each prompt; text is joined before it is tokenized, as SGLang does."""
    ids = [item for item in items if isinstance(item, list)]
    if isinstance(body.query, str):
        if ids:
            raise BadRequest("query is text but items are token ids: send both as ids, or both as text")
        texts = [item for item in items if isinstance(item, str)]
        joined = [t + body.query if body.item_first else body.query + t for t in texts]
        return [], engine.encode_many(joined)
    if len(ids) < len(items):
        raise BadRequest("query is token ids but items are text: send both as ids, or both as text")
    return ([], [item + body.query for item in ids]) if body.item_first else (body.query, ids)


def score_answer(job: ScoreJob, scores: list[list[float]], model: str) -> dict[str, Any]:
    """SGLang's answer; usage counts every prompt whole."""
    tokens = job.tokens + len(job.prefix) * (len(job.items) - 1) if job.items else 0
    usage = {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens}
    return {"scores": scores, "usage": usage, "model": model, "object": "scoring"}


def generate_jobs(body: CompletionBody, engine: Engine, limits: Limits) -> list[GenerateJob]:
    """One job a prompt; BadRequest for what the engine must never see. Tokenizes text: slow."""
    info = engine.info
    if body.stream:
        raise BadRequest("stream is not served: leave it out")
    prompts = _prompts(body, engine)
    if not 0 < len(prompts) <= limits.items:
        msg = f"{len(prompts)} prompts in one request, 1 to {limits.items} are allowed"
        raise BadRequest(msg)
    for index, prompt in enumerate(prompts):
        check_ids(prompt, info.vocab_size, f"prompt {index}")
        _check_length(len(prompt), info.context_tokens - body.max_tokens, f"prompt {index} before max_tokens")
    _check_total(sum(map(len, prompts)), limits)
    stop = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
    return [
        GenerateJob(
            prompt=prompt,
            max_tokens=body.max_tokens,
            temperature=body.temperature,
            frequency_penalty=body.frequency_penalty,
            stop=tuple(text for text in stop if text),
        )
        for prompt in prompts
    ]


def _prompts(body: CompletionBody, engine: Engine) -> list[list[int]]:
    given = body.prompt
    if isinstance(given, str):
        return engine.encode_many([given])
    numbers = [part for part in given if isinstance(part, int)]
    if numbers or not given:
        return [numbers]
    texts = [part for part in given if isinstance(part, str)]
    return engine.encode_many(texts) if texts else [part for part in given if isinstance(part, list)]


def completion_answer(
    jobs: Sequence[GenerateJob], results: Sequence[Generated], model: str, created_s: int
) -> dict[str, Any]:
    """OpenAI's answer, a choice a prompt."""
    prompt = sum(len(job.prompt) for job in jobs)
    completion = sum(result.tokens for result in results)
    choices = [
        {"index": index, "text": result.text, "logprobs": None, "finish_reason": result.finish_reason}
        for index, result in enumerate(results)
    ]
    return {
        "id": f"cmpl-{uuid.uuid4().hex}",
        "object": "text_completion",
        "created": created_s,
        "model": model,
        "choices": choices,
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        },
    }


def _check_length(tokens: int, limit: int, what: str) -> None:
    if tokens == 0:
        msg = f"{what}: the prompt is empty"
        raise BadRequest(msg)
    if tokens > limit:
        msg = f"{what}: {tokens} tokens, at most {max(0, limit)} fit the model's context"
        raise BadRequest(msg)


def _check_total(tokens: int, limits: Limits) -> None:
    if tokens > limits.request_tokens:
        msg = f"{tokens} tokens in one request, at most {limits.request_tokens} are allowed"
        raise BadRequest(msg)
