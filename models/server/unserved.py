"""Fields of a completion request that this server does not serve, with the values that ask for nothing.

A field that were ignored would be answered as if it had been heeded, so a field that is on no list is refused too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

UNSERVED: Mapping[str, tuple[object, ...]] = {
    "best_of": (1,),
    "custom_logit_processor": (),
    "ebnf": (),
    "echo": (False,),
    "ignore_eos": (False,),
    "json_schema": (),
    "logit_bias": ({},),
    "logprobs": (),
    "lora_path": (),
    "min_tokens": (0,),
    "no_stop_trim": (False,),
    "presence_penalty": (0,),
    "regex": (),
    "repetition_penalty": (1,),
    "response_format": ({"type": "text"},),
    "return_hidden_states": (False,),
    "skip_special_tokens": (True,),
    "stop_regex": ([],),
    "stop_token_ids": ([],),
    "suffix": ("",),
}
"""Each field and its values that change no answer; null is one everywhere."""


def refused(body: Mapping[str, Any], served: Iterable[str]) -> str | None:
    """Return why a body cannot be served as it asks, or None; a field that is null asks for nothing."""
    known = set(served)
    for name, value in body.items():
        if value is None or name in known:
            continue
        if name not in UNSERVED:
            return f"{name[:60]!r} is no field of this route: leave it out"
        if not any(_same(value, neutral) for neutral in UNSERVED[name]):
            return f"{name} is not served: leave it out"
    return None


def describe(schema: dict[str, Any]) -> None:
    """Add the unserved fields to a JSON schema, and null as a value of every field that is not required."""
    required = schema.get("required", [])
    fields = schema["properties"]
    for name, field in fields.items():
        if name not in required and {"type": "null"} not in field.get("anyOf", []):
            fields[name] = _or_null(field)
    for name, neutral in UNSERVED.items():
        fields[name] = {"enum": [*neutral, None], "description": "Not served: only what changes nothing"}


def _same(value: object, neutral: object) -> bool:
    """Whether two JSON values are equal, where true is not 1."""
    return value == neutral and isinstance(value, bool) == isinstance(neutral, bool)


def _or_null(field: dict[str, Any]) -> dict[str, Any]:
    outer: dict[str, Any] = {
        key: field.pop(key) for key in ("title", "default", "description") if key in field
    }
    kinds = field.pop("anyOf") if set(field) == {"anyOf"} else [field]
    return {"anyOf": [*kinds, {"type": "null"}], **outer}
