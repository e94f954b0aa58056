"""Read a model server's HTTP responses: the answer, or an error that says whose fault it is."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
from typing_extensions import override

from schemas.errors import ModelError, ModelUnavailable

INPUT_STATUSES = {400, 413, 422, 500}
"""The request's input may be at fault: SuspectInput."""
BUSY_STATUSES = {408, 425, 429, 502, 503, 504}
"""The server cannot answer at present: ServerBusy. Every other status is an error of configuration: Misconfigured."""


class SuspectInput(ModelError):
    """One failure that this input may have caused; the server may be the cause just as well."""


class ServerBusy(ModelUnavailable):
    """The server answered that it cannot serve now; `retry_after_s` is its Retry-After, or 0 if it gave none."""


class RequestLate(ModelUnavailable):
    """The server took longer for one request than any request may take, and answered none that was sent later."""


class Misconfigured(ModelUnavailable):
    """Wrong URL, key or model: retries are useless until somebody changes it, but the input is fine."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retry_after_s=30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """The model's full name, as the server listed it at monotonic time `asked_at`.

    `scored_as`: the mode and arithmetic that the server tells, "" where it tells none.
    """

    name: str
    asked_at: float
    scored_as: str = ""


def raise_for_status(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object of a 200 response; raise SuspectInput, ServerBusy or Misconfigured for any other."""
    status = response.status_code
    if status in BUSY_STATUSES:
        raise ServerBusy(
            f"{response.url} answers {status}: {_message(response)}", retry_after_s=_retry_after_s(response)
        )
    if status in INPUT_STATUSES:
        raise SuspectInput(f"{status}: {_message(response)}")
    if status != httpx.codes.OK:
        raise Misconfigured(f"{response.url} answers {status}: {_message(response)}")
    try:
        answer = response.json()
    except ValueError as error:
        raise SuspectInput("the answer is not JSON") from error
    if not isinstance(answer, dict):
        raise SuspectInput("the answer is no JSON object")
    return answer


class Naming(Protocol):
    """Which of the models that a server lists is asked, and whose answers are taken."""

    def given(self) -> str | None:
        """The name of a model that is asked without looking at the server's list; None: the list is asked for."""
        ...

    def find(self, answer: dict[str, Any]) -> ServedModel:
        """Choose from the answer of /v1/models; raises Misconfigured."""
        ...

    def check(self, answer: dict[str, Any]) -> None:
        """Raise Misconfigured for an answer of another model than the one that was asked."""
        ...


class ByBaseName(Naming):
    """Any generation of the model `model`, whose context holds `context_tokens`."""

    def __init__(self, model: str, context_tokens: int) -> None:
        self._model, self._context = model, context_tokens

    @override
    def given(self) -> None:
        """Nothing: the list says the generation."""

    @override
    def find(self, answer: dict[str, Any]) -> ServedModel:
        """Find the base name."""
        return find_model(answer, self._model, self._context)

    @override
    def check(self, answer: dict[str, Any]) -> None:
        """Compare base names."""
        check_model(answer, self._model)


def find_model(answer: dict[str, Any], model: str, context_tokens: int) -> ServedModel:
    """Return the listed model of base name `model`; Misconfigured if none is, or if its context is shorter."""
    cards = [card for card in answer.get("data") or [] if isinstance(card, dict)]
    for card in cards:
        name = str(card.get("id"))
        if _base(name) == model:
            length = card.get("max_model_len")
            if isinstance(length, int) and length < context_tokens:
                raise Misconfigured(
                    f"{name} takes {length} tokens, but prompts are cut to {context_tokens}: wrong tokenizer directory?"
                )
            scored_as = "".join(str(card.get("scored_as") or "").split())
            return ServedModel(name=name, asked_at=time.monotonic(), scored_as=scored_as)
    names = [card.get("id") for card in cards]
    raise Misconfigured(f"the server lists {names}, none of them {model}@N: {_naming(model)}")


def check_model(answer: dict[str, Any], model: str) -> None:
    """Raise Misconfigured if the answer carries the name of another model; any generation of `model` is right."""
    if _base(str(answer.get("model"))) != model:
        raise Misconfigured(f"{answer.get('model')!r} answered instead of {model}@N: {_naming(model)}")


def read_scores(answer: dict[str, Any], items: int) -> list[float]:
    """Return each item's first of two label probabilities; SuspectInput for an answer without those."""
    rows = answer.get("scores")
    if not isinstance(rows, list) or len(rows) != items:
        found = len(rows) if isinstance(rows, list) else type(rows).__name__
        raise SuspectInput(f"{items} rows of scores expected, found {found}")
    for row in rows:
        if not isinstance(row, list) or len(row) != 2 or not all(map(_is_probability, row)):
            raise SuspectInput(f"two probabilities expected, found {row!r:.80}")
    return [float(row[0]) for row in rows]


def read_completion(answer: dict[str, Any]) -> tuple[str, int]:
    """Return text and length in tokens of the single choice; SuspectInput for an answer that has not exactly that.

    ServerBusy if somebody aborted the request at the server: its text is a part.
    """
    choices, usage = answer.get("choices"), answer.get("usage")
    choice = choices[0] if isinstance(choices, list) and len(choices) == 1 else None
    text = choice.get("text") if isinstance(choice, dict) else None
    if isinstance(choice, dict) and choice.get("finish_reason") == "abort":
        raise ServerBusy("the request was aborted at the model server", retry_after_s=0.0)
    tokens = usage.get("completion_tokens") if isinstance(usage, dict) else None
    if not isinstance(text, str) or not isinstance(tokens, int) or tokens < 0:
        raise SuspectInput("one choice with a text, and usage.completion_tokens, expected")
    return text.strip(), tokens


def _is_probability(value: object) -> bool:
    # a sum of float32 terms may leave [0, 1] by a rounding error
    return isinstance(value, float | int) and math.isfinite(value) and -1e-4 <= value <= 1 + 1e-4


def _naming(model: str) -> str:
    """Say how to give the server the right name."""
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
    except ValueError:  # the HTTP date form, which is useless where clocks differ
        return 1.0
