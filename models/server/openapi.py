"""What the routes answer, as their OpenAPI description tells it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

DEADLINE_HEADER = "x-deadline-ms"


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class Usage(_Answer):
    """Every prompt counted whole."""

    prompt_tokens: int
    total_tokens: int
    completion_tokens: int
    prompt_tokens_details: None
    reasoning_tokens: int
    completion_tokens_details: None


class ScoreAnswer(_Answer):
    """A row an item, a column a label."""

    scores: list[list[float]]
    pooled_hidden_states: None
    token_logprobs: list[list[float]] | None
    model: str
    usage: Usage
    object: Literal["scoring"]


class Choice(_Answer):
    """The continuation of one prompt."""

    index: int
    text: str
    logprobs: None
    finish_reason: Literal["stop", "length"]
    matched_stop: None


class CompletionAnswer(_Answer):
    """A choice a prompt."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: Usage


class Card(_Answer):
    """One model and the route that it answers."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    root: str
    parent: None
    max_model_len: int
    task: Literal["score", "completions"]


class Cards(_Answer):
    """What is served here."""

    object: Literal["list"]
    data: list[Card]


class Health(_Answer):
    """`ok`, or what is wrong."""

    status: str


class ErrorAnswer(_Answer):
    """SGLang's form of an error."""

    object: Literal["error"]
    message: str
    type: str
    param: str | None
    code: int


_RETRY = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer", "minimum": 1}}}
ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorAnswer, "description": "The request is wrong, and how"},
    404: {"model": ErrorAnswer, "description": "No such model here"},
    408: {"model": ErrorAnswer, "description": "The body did not arrive in time"},
    413: {"model": ErrorAnswer, "description": "The body is too large"},
    500: {"model": ErrorAnswer, "description": "The model failed on this request"},
    503: {"model": ErrorAnswer, "description": "Not now: come back after a while", "headers": _RETRY},
}


def request_of(body: type[BaseModel]) -> dict[str, Any]:
    """The description of a request that the route reads by itself."""
    deadline = {
        "name": DEADLINE_HEADER,
        "in": "header",
        "description": "Milliseconds until nobody waits for the answer any more",
        "schema": {"type": "number"},
    }
    content = {"application/json": {"schema": body.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}, "parameters": [deadline]}
