"""What both routes ask of token ids and sizes, with `BadRequest` as the complaint, and how they count them."""

from __future__ import annotations

from typing import Any

from models.server.config import Limits
from models.server.requests import BadRequest


def check_ids(ids: list[int], vocab_size: int, what: str) -> None:
    """Refuse ids outside the vocabulary."""
    if ids and not (min(ids) >= 0 and max(ids) < vocab_size):
        raise BadRequest(f"{what} holds token ids outside [0, {vocab_size})")


def check_length(tokens: int, limit: int, what: str) -> None:
    """Refuse an empty prompt and one over the context."""
    if tokens == 0:
        raise BadRequest(f"{what}: the prompt is empty")
    if tokens > limit:
        raise BadRequest(f"{what}: {tokens} tokens, at most {max(0, limit)} fit the model's context")


def check_total(tokens: int, limits: Limits) -> None:
    """Refuse a request that is too much work."""
    if tokens > limits.request_tokens:
        raise BadRequest(f"{tokens} tokens in one request, at most {limits.request_tokens} are allowed")


def usage(prompt: int, completion: int) -> dict[str, Any]:
    """SGLang's count of tokens, with every key that it has."""
    return {
        "prompt_tokens": prompt,
        "total_tokens": prompt + completion,
        "completion_tokens": completion,
        "prompt_tokens_details": None,
        "reasoning_tokens": 0,
        "completion_tokens_details": None,
    }
