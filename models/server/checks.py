"""Checks of token ids and sizes that both routes share, and the token counts of their answers."""

from __future__ import annotations

from typing import Any

from models.server.config import Limits
from models.server.requests import BadRequest


def check_ids(ids: list[int], vocab_size: int, what: str) -> None:
    """Raise BadRequest for ids outside the vocabulary; `what` names them in the message."""
    if ids and not (min(ids) >= 0 and max(ids) < vocab_size):
        raise BadRequest(f"{what} holds token ids outside [0, {vocab_size})")


def check_length(tokens: int, limit: int, what: str) -> None:
    """Raise BadRequest for an empty prompt and for one of more than `limit` tokens."""
    if tokens == 0:
        raise BadRequest(f"{what}: the prompt is empty")
    if tokens > limit:
        raise BadRequest(f"{what}: {tokens} tokens, at most {max(0, limit)} fit the model's context")


def check_total(tokens: int, limits: Limits) -> None:
    """Raise BadRequest for a request of more tokens than the limit of one request."""
    if tokens > limits.request_tokens:
        raise BadRequest(f"{tokens} tokens in one request, at most {limits.request_tokens} are allowed")


def usage(prompt: int, completion: int, cached: int = 0) -> dict[str, Any]:
    """Return the token counts of an answer with all keys that SGLang gives; `cached` prompt tokens were shared."""
    return {
        "prompt_tokens": prompt,
        "total_tokens": prompt + completion,
        "completion_tokens": completion,
        "prompt_tokens_details": {"cached_tokens": cached} if cached else None,
        "reasoning_tokens": 0,
        "completion_tokens_details": None,
    }
