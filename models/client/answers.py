"""What a model server may answer, and what each other answer means."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import httpx

from schemas.errors import ModelError, ModelUnavailable

REFUSED = {400, 413, 422, 500}
"""Statuses that speak of this input."""
BUSY = {408, 425, 429, 502, 503, 504}
"""Statuses that speak of this moment; every other one speaks of the set-up."""


class Strike(ModelError):
    """One failure that this input may have caused."""


class Busy(ModelUnavailable):
    """The server said so itself; `retry_after_s` is its own word, or 0 if it gave none."""


class Misconfigured(ModelUnavailable):
    """Wrong URL, key or model: no retry helps until somebody changes it, but the input is fine."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retry_after_s=30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The model's full name, as the server listed it at monotonic time `asked_at`."""

    name: str
    asked_at: float


def raise_for_status(response: httpx.Response) -> dict[str, Any]:
    """The JSON object of a good answer; raises Strike, Busy or Misconfigured."""
    status = response.status_code
    if status in BUSY:
        raise Busy(
            f"{response.url} answers {status}: {_message(response)}", retry_after_s=_retry_after_s(response)
        )
    if status in REFUSED:
        raise Strike(f"{status}: {_message(response)}")
    if status != httpx.codes.OK:
        raise Misconfigured(f"{response.url} answers {status}: {_message(response)}")
    try:
        answer = response.json()
    except ValueError as error:
        raise Strike("the answer is not JSON") from error
    if not isinstance(answer, dict):
        raise Strike("the answer is no JSON object")
    return answer


def card_of(answer: dict[str, Any], model: str, context_tokens: int) -> Served:
    """The listed model whose name's base is `model`; Misconfigured if there is none or it is too short."""
    cards = [card for card in answer.get("data") or [] if isinstance(card, dict)]
    for card in cards:
        name = str(card.get("id"))
        if _base(name) == model:
            length = card.get("max_model_len")
            if isinstance(length, int) and length < context_tokens:
                raise Misconfigured(
                    f"{name} takes {length} tokens, but prompts are cut to {context_tokens}: wrong tokenizer directory?"
                )
            return Served(name=name, asked_at=time.monotonic())
    names = [card.get("id") for card in cards]
    raise Misconfigured(f"the server lists {names}, none of them {model}@N: {_naming(model)}")


def check_generation(answer: dict[str, Any], model: str) -> None:
    """Refuse the answer of another model."""
    if _base(str(answer.get("model"))) != model:
        raise Misconfigured(f"{answer.get('model')!r} answered instead of {model}@N: {_naming(model)}")


def read_scores(answer: dict[str, Any], items: int) -> list[float]:
    """First label's probability of each item, of two labels; Strike for anything else."""
    rows = answer.get("scores")
    if not isinstance(rows, list) or len(rows) != items:
        found = len(rows) if isinstance(rows, list) else type(rows).__name__
        raise Strike(f"{items} rows of scores expected, found {found}")
    for row in rows:
        if not isinstance(row, list) or len(row) != 2 or not all(map(_is_probability, row)):
            raise Strike(f"two probabilities expected, found {row!r:.80}")
    return [float(row[0]) for row in rows]


def read_completion(answer: dict[str, Any]) -> tuple[str, int]:
    """Text and length in tokens of the only choice; Strike for anything else."""
    choices, usage = answer.get("choices"), answer.get("usage")
    choice = choices[0] if isinstance(choices, list) and len(choices) == 1 else None
    text = choice.get("text") if isinstance(choice, dict) else None
    tokens = usage.get("completion_tokens") if isinstance(usage, dict) else None
    if not isinstance(text, str) or not isinstance(tokens, int) or tokens < 0:
        raise Strike("one choice with a text, and usage.completion_tokens, expected")
    return text.strip(), tokens


def _is_probability(value: object) -> bool:
    # A sum of float32 terms may leave [0, 1] by a rounding.
    return isinstance(value, float | int) and math.isfinite(value) and -1e-4 <= value <= 1 + 1e-4


def _naming(model: str) -> str:
    """What somebody can do about a wrong name."""
    return (
        "correct the URL, or the served name: of our server by "
        f'{{"name": "{model}@1"}} in the checkpoint\'s nearline.json, of an SGLang by --served-model-name {model}@1'
    )


def _base(name: str) -> str:
    return name.partition("@")[0]


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json()["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return response.text[:300]


def _retry_after_s(response: httpx.Response) -> float:
    try:
        return max(0.0, float(response.headers.get("retry-after", "0")))
    except ValueError:  # the date form; nobody's clocks are that good
        return 1.0
