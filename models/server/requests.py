"""What a request must look like; every complaint becomes `BadRequest` with a message for the caller."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

DEFAULT_MODEL = "default"

FIRST_FAULT = Field(fail_fast=True)
"""Stop at the first wrong element: a million wrong ids must not make a million messages."""

TokenIds = Annotated[list[int], FIRST_FAULT]
Texts = Annotated[list[str], FIRST_FAULT]
TokenLists = Annotated[list[TokenIds], FIRST_FAULT]


class BadRequest(Exception):  # noqa: N818
    """The caller's mistake: answered with `status` and the message, and nothing else happens."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class _Body(BaseModel):
    """JSON types as they are, without coercion; fields that are not known are ignored, as SGLang does."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="ignore", protected_namespaces=())


class ScoreBody(_Body):
    """POST /v1/score."""

    query: str | TokenIds
    items: str | Texts | TokenLists
    label_token_ids: TokenIds
    apply_softmax: bool = False
    temperature: Annotated[float, Field(gt=0)] = 1.0
    item_first: bool = False
    model: str = DEFAULT_MODEL


class CompletionBody(_Body):
    """POST /v1/completions; one greedy answer a prompt unless a temperature is given."""

    prompt: str | TokenIds | Texts | TokenLists
    max_tokens: Annotated[int, Field(ge=1)] = 16
    temperature: Annotated[float, Field(ge=0)] = 0.0
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    stop: str | Texts | None = None
    n: Annotated[int, Field(ge=1, le=1)] = 1
    stream: bool = False
    model: str = DEFAULT_MODEL


Body = TypeVar("Body", bound=_Body)


def parse(kind: type[Body], body: bytes) -> Body:
    """The request of a body's JSON; BadRequest names the first field that is wrong."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"][:2])
        msg = f"{where}: {first['msg']}" if where else first["msg"]
        raise BadRequest(msg) from error


def check_ids(ids: list[int], vocab_size: int, what: str) -> None:
    """Refuse ids outside the vocabulary."""
    if ids and not (min(ids) >= 0 and max(ids) < vocab_size):
        msg = f"{what} holds token ids outside [0, {vocab_size})"
        raise BadRequest(msg)


def check_labels(labels: list[int], vocab_size: int, limit: int) -> None:
    """Refuse labels that are none, too many, duplicate or outside the vocabulary."""
    if not labels:
        raise BadRequest("label_token_ids must not be empty")
    if len(labels) > limit:
        msg = f"label_token_ids holds {len(labels)} ids, at most {limit} are allowed"
        raise BadRequest(msg)
    if len(set(labels)) < len(labels):
        raise BadRequest("label_token_ids holds duplicates")
    check_ids(labels, vocab_size, "label_token_ids")
