"""POST /v1/completions: a request becomes jobs for the engine, their results become OpenAI's answer."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from models.engine.base import Engine, Generated, GenerateJob
from models.server.checks import check_ids, check_length, check_total, usage
from models.server.config import Limits
from models.server.requests import BadRequest, CompletionBody

SAMPLING = {"top_p": 1.0, "top_k": -1, "min_p": 0.0, "seed": None}
"""Fields about sampling, with the values that change nothing of it."""


def generate_jobs(body: CompletionBody, engine: Engine, limits: Limits) -> list[GenerateJob]:
    """Return a job for each prompt; BadRequest for input that the engine does not check itself. Slow: it tokenizes."""
    info = engine.info
    if body.stream_options and not body.stream:
        raise BadRequest("stream_options is only allowed with stream: true")
    if body.temperature and (given := [name for name in SAMPLING if name in body.model_fields_set]):
        _check_sampling(body, given)
    if len(body.prompt) > limits.items and _several(body.prompt):
        raise BadRequest(f"{len(body.prompt)} prompts in one request, at most {limits.items} are allowed")
    prompts, texts = _prompts(body.prompt, engine)
    for index, prompt in enumerate(prompts):
        check_ids(prompt, info.vocab_size, f"prompt {index}")
        check_length(len(prompt), info.context_tokens - body.max_tokens, f"prompt {index} before max_tokens")
    check_total(sum(map(len, prompts)), limits)
    stop = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
    return [
        GenerateJob(
            prompt=prompt,
            max_tokens=body.max_tokens,
            temperature=body.temperature,
            frequency_penalty=body.frequency_penalty,
            stop=tuple(text for text in stop if text),
            text=text,
        )
        for prompt, text in zip(prompts, texts, strict=True)
    ]


def _check_sampling(body: CompletionBody, given: Sequence[str]) -> None:
    """Raise BadRequest for a way of sampling other than from the whole distribution, whose draws nothing fixes."""
    for name in given:
        if getattr(body, name) != SAMPLING[name]:
            raise BadRequest(f"{name} is not served with a temperature above 0: leave one of them out")


def _several(prompt: Any) -> bool:
    return isinstance(prompt, list) and bool(prompt) and not isinstance(prompt[0], int)


def _prompts(given: Any, engine: Engine) -> tuple[list[list[int]], Sequence[str | None]]:
    """Return each prompt's ids, and its text if it came as one."""
    if isinstance(given, str):
        return engine.encode_many([given]), [given]
    if not _several(given):
        return [given], [None]
    if isinstance(given[0], str):
        return engine.encode_many(given), given
    return list(given), [None] * len(given)


def completion_answer(
    jobs: Sequence[GenerateJob], results: Sequence[Generated], head: dict[str, Any]
) -> dict[str, Any]:
    """Return OpenAI's answer, with one choice for each prompt."""
    choices = [choice(index, result.text, result.finish_reason) for index, result in enumerate(results)]
    return {**head, "choices": choices, "usage": completion_usage(jobs, results)}


def envelope(rid: str | None, model: str, created_s: int) -> dict[str, Any]:
    """Return what an answer and all events of a stream begin with; a request's own id is the answer's."""
    return {
        "id": rid or f"cmpl-{uuid.uuid4().hex}",
        "object": "text_completion",
        "created": created_s,
        "model": model,
    }


def choice(index: int, text: str, finish_reason: str | None) -> dict[str, Any]:
    """Return one prompt's text, or a piece of it."""
    return {
        "index": index,
        "text": text,
        "logprobs": None,
        "finish_reason": finish_reason,
        "matched_stop": None,
    }


def completion_usage(jobs: Sequence[GenerateJob], results: Sequence[Generated]) -> dict[str, Any]:
    """Return the token counts of all prompts together."""
    return usage(sum(len(job.prompt) for job in jobs), sum(result.tokens for result in results))
