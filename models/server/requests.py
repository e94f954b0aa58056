"""The request bodies: JSON to checked fields, or `BadRequest` with a message for the caller."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PlainValidator,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from models.server.unserved import describe, refused

DEFAULT_MODEL = "default"

MALFORMED = "Bad Request"
"""SGLang's error type for a body whose fields have wrong types; a wrong value is a `BadRequestError`."""
STRUCTURE = 50_000
"""Most lists, objects and keys of one body: no sensible request has more, and they take long to parse."""


class BadRequest(Exception):
    """The caller's mistake, answered with `status`, SGLang's error type (`kind`) and the message."""

    def __init__(self, message: str, status: int = 400, kind: str = "BadRequestError") -> None:
        super().__init__(message)
        self.status, self.kind = status, kind


def _wrong(what: str) -> PydanticCustomError:
    return PydanticCustomError("shape", "must be {what}", {"what": what})


def _all(value: object, kind: type) -> bool:
    """Return whether `value` is a list of elements of exactly this type: `true` is not an int here."""
    return type(value) is list and set(map(type, value)) <= {kind}


def _text_or_ids(value: object) -> object:
    if value is None or isinstance(value, str) or _all(value, int):
        return value
    raise _wrong("a text or a list of token ids")


def _text_or_ids_given(value: object) -> object:
    if isinstance(value, str) or _all(value, int):
        return value
    raise _wrong("a text or a list of token ids")


def _text_or_texts(value: object) -> object:
    if isinstance(value, str) or _all(value, str):
        return value
    raise _wrong("a text or a list of texts (token ids are not served)")


def _lists_of_either(value: object) -> object:
    if _all(value, str) or _id_lists(value):
        return value
    raise _wrong("a list of texts or a list of lists of token ids")


def _texts_or_id_lists(value: object) -> object:
    if isinstance(value, str) or _all(value, str) or _id_lists(value):
        return value
    raise _wrong("a text, a list of texts or a list of lists of token ids")


def _ids_or_id_lists(value: object) -> object:
    if _all(value, int) or _id_lists(value):
        return value
    raise _wrong("a list of token ids, or one for each item")


def _neutral(value: object) -> object:
    if value is False or value is None:
        return False
    raise PydanticCustomError("shape", "is not served: leave it out")


def _prompt(value: object) -> object:
    if isinstance(value, str) or _all(value, int) or _all(value, str) or _id_lists(value):
        return value
    raise _wrong("a text, a list of token ids, or a list of either")


def _id_lists(value: object) -> bool:
    return isinstance(value, list) and _all(value, list) and all(_all(row, int) for row in value)


TokenIds = list[int]
Rid = Annotated[str, Field(min_length=1, max_length=256)] | None
Priority = Annotated[int, Field(ge=-(2**31), lt=2**31)]
TextOrIds = Annotated[str | TokenIds | None, PlainValidator(_text_or_ids, str | TokenIds | None)]
Items = Annotated[
    str | list[str] | list[TokenIds],
    PlainValidator(_texts_or_id_lists, str | list[str] | list[TokenIds]),
]
Labels = Annotated[TokenIds | list[TokenIds], PlainValidator(_ids_or_id_lists, TokenIds | list[TokenIds])]
Prompt = Annotated[
    str | TokenIds | list[str] | list[TokenIds],
    PlainValidator(_prompt, str | TokenIds | list[str] | list[TokenIds]),
]


SCORE_EXAMPLES: list[JsonValue] = [
    {"query": [5, 6], "items": [[7], [8, 9]], "label_token_ids": [1, 2], "apply_softmax": True},
    {"query": "nurse", "items": [" ward", " kitchen"], "label_token_ids": [[1, 2], [3]]},
]
GENERATIVE_EXAMPLES: list[JsonValue] = [
    {"query": [5, 6], "items": [[7], [8, 9]], "label_token_ids": [1, 2]},
    {"query": "nurse", "items": [" ward", " kitchen"], "label_token_ids": [1, 2], "request_id": "a"},
]
EMBEDDING_EXAMPLES: list[JsonValue] = [
    {"input": "night nurse", "input_type": "query"},
    {"input": ["Title: Night nurse\nText: wards", "Title: Cook"], "encoding_format": "base64"},
]
COMPLETION_EXAMPLES: list[JsonValue] = [{"prompt": "night nurse", "max_tokens": 4}, {"prompt": [[5, 6], [7]]}]


def _describe_completion(schema: dict[str, Any]) -> None:
    describe(schema)
    schema["examples"] = COMPLETION_EXAMPLES


class _Body(BaseModel):
    """Takes JSON types as they are, without coercion, and ignores unknown fields, as SGLang does."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="ignore", protected_namespaces=())


class ScoreBody(_Body):
    """POST /v1/score. The last three fields are SGLang's for other models: only their defaults are accepted."""

    model_config = ConfigDict(json_schema_extra={"examples": SCORE_EXAMPLES})

    query: TextOrIds = None
    items: Items
    label_token_ids: Labels
    apply_softmax: bool = False
    temperature: Annotated[float, Field(gt=0)] = 1.0
    return_token_logprobs: bool = False
    item_first: bool = False
    model: str = DEFAULT_MODEL
    rid: Rid = None
    priority: Priority | None = None
    return_pooled_hidden_states: bool = False
    score_extraction_token: str | None = None
    query_embed_overrides: Any = None
    item_embed_overrides: Any = None


class StreamOptions(BaseModel):
    """What a stream holds besides the texts."""

    model_config = ConfigDict(strict=True, extra="forbid")

    include_usage: bool = False
    continuous_usage_stats: Annotated[bool, PlainValidator(_neutral, bool)] = False


class CompletionBody(_Body):
    """POST /v1/completions. Each prompt gets one answer, greedy unless a temperature is given.

    `top_p`, `top_k`, `min_p` and `seed` change nothing of a greedy answer; above temperature 0 they are not served.
    """

    model_config = ConfigDict(json_schema_extra=_describe_completion)

    prompt: Prompt
    max_tokens: Annotated[int, Field(ge=1)] = 16
    temperature: Annotated[float, Field(ge=0)] = 0.0
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    stop: str | Annotated[list[str], Field(fail_fast=True)] | None = None
    n: Annotated[int, Field(ge=1, le=1)] = 1
    stream: bool = False
    stream_options: StreamOptions | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    top_k: Annotated[int, Field(ge=-1)] = -1
    min_p: Annotated[float, Field(ge=0, le=1)] = 0.0
    seed: int | None = None
    user: str | None = None
    model: str = DEFAULT_MODEL
    rid: Rid = None
    priority: Priority = 0

    @model_validator(mode="before")
    @classmethod
    def _only_served(cls, body: object) -> object:
        """Refuse fields that would be ignored, and drop those that are null: they have their defaults."""
        if not isinstance(body, dict):
            return body
        if why := refused(body, cls.model_fields):
            raise BadRequest(why)
        return {name: value for name, value in body.items() if value is not None}


class GenerativeScoringBody(_Body):
    """POST /generative_scoring. Another field than these is refused."""

    model_config = ConfigDict(json_schema_extra={"examples": GENERATIVE_EXAMPLES}, extra="forbid")

    query: Annotated[str | TokenIds, PlainValidator(_text_or_ids_given, str | TokenIds)]
    items: Annotated[list[str] | list[TokenIds], PlainValidator(_lists_of_either, list[str] | list[TokenIds])]
    label_token_ids: Annotated[TokenIds, Field(fail_fast=True)]
    model: str | None = None
    apply_softmax: bool = True
    item_first: bool = False
    add_special_tokens: bool = True
    priority: Priority = 0
    request_id: Rid = None


class EmbeddingBody(_Body):
    """POST /v1/embeddings. Another field than these is refused.

    `input_type` is ours (other servers have it too): whether the texts are what somebody searches for.
    """

    model_config = ConfigDict(json_schema_extra={"examples": EMBEDDING_EXAMPLES}, extra="forbid")

    input: Annotated[str | list[str], PlainValidator(_text_or_texts, str | list[str])]
    model: str = DEFAULT_MODEL
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    user: str | None = None
    input_type: Literal["query", "document"] = "document"
    rid: Rid = None
    priority: Priority | None = None


class AbortBody(_Body):
    """POST /abort_request: the id of one request, or all of them."""

    rid: str | None = None
    abort_all: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> AbortBody:
        if not self.rid and not self.abort_all:
            raise BadRequest("give the rid of a request, or abort_all: true")
        return self


Body = TypeVar("Body", bound=_Body)


def parse(kind: type[Body], body: bytes) -> Body:
    """Parse a body as JSON into a request; BadRequest names the first wrong field."""
    try:
        return kind.model_validate(_json(body))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"][:2])
        raise BadRequest(f"{where}: {first['msg']}" if where else first["msg"], kind=MALFORMED) from error


def _json(body: bytes) -> object:
    if body.count(b"[") + body.count(b"{") + body.count(b'":') > STRUCTURE:
        raise BadRequest(f"the body holds more than {STRUCTURE} lists, objects and keys", kind=MALFORMED)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is not JSON: {error}", kind=MALFORMED) from error
