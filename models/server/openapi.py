"""The OpenAPI description of the routes: their answers as pydantic models, their errors, and their request bodies.

Answers are not validated against these models when they are sent; `make fuzz` does that.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from schemas.traffic import TRAFFIC_HEADER, TrafficClass

DEADLINE_HEADER = "x-deadline-ms"
TTL_HEADER = "x-request-ttl-ms"


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class PromptTokensDetails(_Answer):
    """How many prompt tokens were not computed, since another prompt of the same pass has them."""

    cached_tokens: int


class Usage(_Answer):
    """Token counts; a prefix that prompts share counts once for each of them."""

    prompt_tokens: int
    total_tokens: int
    completion_tokens: int
    prompt_tokens_details: PromptTokensDetails | None
    reasoning_tokens: int
    completion_tokens_details: None


class ScoreAnswer(_Answer):
    """Scores [items][labels]."""

    scores: list[list[float]]
    pooled_hidden_states: list[list[float]] | None
    token_logprobs: list[list[float]] | None
    model: str
    usage: Usage
    object: Literal["scoring"]


class Choice(_Answer):
    """The continuation of one prompt."""

    index: int
    text: str
    logprobs: None
    finish_reason: Literal["stop", "length", "abort"]
    matched_stop: None


class CompletionAnswer(_Answer):
    """One choice for each prompt."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: Usage


class ItemScore(_Answer):
    """The first label's score of one item."""

    index: int
    object: Literal["score"]
    score: float


class GenerativeScoringAnswer(_Answer):
    """Scores in vLLM's form."""

    id: str
    object: Literal["list"]
    created: int
    model: str
    data: list[ItemScore]
    usage: Usage


class Embedding(_Answer):
    """The vector of one text: numbers, or little-endian float32 in base64."""

    index: int
    object: Literal["embedding"]
    embedding: list[float] | str


class EmbeddingUsage(_Answer):
    """How many tokens of the texts were read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingAnswer(_Answer):
    """One unit vector for each text; zeros for a text in which nothing is to be embedded."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


class Card(_Answer):
    """One served model; `task` names the route that it answers.

    `calibrated`: its scores are calibrated; `alert_threshold`: the threshold for saved searches that name none.
    `scored_as`: mode and arithmetic of its scores, such as `shared-prefix/float32`.
    """

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    root: str
    parent: None
    max_model_len: int
    task: Literal["score", "completions", "embeddings"]
    calibrated: bool
    alert_threshold: float | None
    scored_as: str | None


class Cards(_Answer):
    """All served models."""

    object: Literal["list"]
    data: list[Card]


class Health(_Answer):
    """`ok`, or what does not work."""

    status: str


class ErrorAnswer(_Answer):
    """An error in SGLang's form."""

    object: Literal["error"]
    message: str
    type: str
    param: str | None
    code: int


class NestedError(_Answer):
    """An error without the word for its kind of object."""

    message: str
    type: str
    param: str | None
    code: int


class NestedErrorAnswer(_Answer):
    """An error in vLLM's form."""

    error: NestedError


_RETRY = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer", "minimum": 1}}}
ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorAnswer, "description": "The request is wrong; the message says how"},
    404: {"model": ErrorAnswer, "description": "No such model here"},
    408: {"model": ErrorAnswer, "description": "The body did not arrive in time"},
    413: {"model": ErrorAnswer, "description": "The body is too large"},
    500: {"model": ErrorAnswer, "description": "The model failed on this request"},
    503: {
        "model": ErrorAnswer,
        "description": "Too busy, or the deadline passed: ask again after Retry-After",
        "headers": _RETRY,
    },
}


NESTED_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {**error, "model": NestedErrorAnswer} for status, error in ERRORS.items()
}


def request_of(body: type[BaseModel]) -> dict[str, Any]:
    """Describe the body and header of a route that parses its request itself, where FastAPI cannot."""
    deadline = {
        "name": DEADLINE_HEADER,
        "in": "header",
        "description": "Milliseconds that the caller waits for the answer",
        "schema": {"type": "number"},
    }
    ttl = {
        "name": TTL_HEADER,
        "in": "header",
        "description": "Milliseconds after which the request need not be computed any more",
        "schema": {"type": "number", "minimum": 0},
    }
    traffic = {
        "name": TRAFFIC_HEADER,
        "in": "header",
        "description": "What the request is for: a higher class is computed first, unless the body gives a priority",
        "schema": {"enum": [one.label for one in sorted(TrafficClass, reverse=True)]},
    }
    content = {"application/json": {"schema": body.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}, "parameters": [deadline, ttl, traffic]}
