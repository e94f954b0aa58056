"""What an LLM teacher may answer: one JSON object of grades and rationales, checked against the policy, never guessed."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from training.judging.policy import PROBABILITIES, Policy
from training.judging.records import MAX_GRADE, Verdict

_GRADE = re.compile(r'"grade"\s*:\s*([0-9])')
_THOUGHT = "</think>"


class BadAnswerError(ValueError):
    """An answer that gives no verdict; the message is what the teacher is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """The text of one answer and, if asked for, its tokens as `(token, {alternative: logprob})`."""

    text: str
    tokens: Sequence[tuple[str, dict[str, float]]] = ()


def completion_of(answer: dict[str, Any]) -> Completion:
    """The only choice of a chat completion; BadAnswerError for a refusal, an answer cut short or anything else."""
    choices = answer.get("choices")
    choice = choices[0] if isinstance(choices, list) and len(choices) == 1 else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise BadAnswerError("the response has not the form of a chat completion with one choice")
    if message.get("refusal"):
        raise BadAnswerError(f"the answer is a refusal: {message['refusal']!r:.200}")
    if choice.get("finish_reason") == "length":
        raise BadAnswerError("the answer was cut off at the limit of tokens: write shorter rationales")
    if not isinstance(message.get("content"), str):
        raise BadAnswerError("the answer holds no text")
    return Completion(text=message["content"], tokens=_tokens(choice))


def usage_of(answer: dict[str, Any]) -> tuple[int, int]:
    """Tokens of the prompt and of the completion as the endpoint counts them; 0 where it does not."""
    usage = answer.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    found = [counts.get(name) for name in ("prompt_tokens", "completion_tokens")]
    prompt, completion = (count if isinstance(count, int) else 0 for count in found)
    return prompt, completion


def verdict_of(completion: Completion, policy: Policy) -> Verdict:
    """Grades and rationales of an answer; BadAnswerError says what is wrong with it."""
    found = _object_in(completion.text)
    for key, value in found.items():
        if not isinstance(value, dict) or set(value) != {"rationale", "grade"}:
            raise BadAnswerError(f'{key!r:.40} must be an object of "rationale" and "grade"')
        if not isinstance(value["rationale"], str):
            raise BadAnswerError(f"the rationale of {key!r:.40} must be a text")
    try:
        grades = policy.check({key: value["grade"] for key, value in found.items()})
    except ValueError as error:
        raise BadAnswerError(str(error)) from error
    reasons = {key: " ".join(found[key]["rationale"].split()) for key in policy.keys}
    probabilities = _probabilities(completion, list(found))
    return Verdict(
        grades=grades,
        rationale="\n".join(f"{key}: {reason}" for key, reason in reasons.items() if reason),
        evidence={PROBABILITIES: probabilities} if probabilities else {},
    )


def _object_in(text: str) -> dict[str, Any]:
    """The one JSON object of a text, whatever stands around it; thoughts before it do not count."""
    objects = list(_objects(text.rpartition(_THOUGHT)[2]))
    if len(objects) != 1:
        raise BadAnswerError(
            f"one JSON object expected, {len(objects)} found" if objects else "no whole JSON object found"
        )
    return objects[0]


def _objects(text: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder(object_pairs_hook=_without_doubles)
    start = text.find("{")
    while start >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
        except (json.JSONDecodeError, RecursionError) as error:
            raise BadAnswerError(f"the JSON is broken: {error}") from error
        yield value
        start = text.find("{", end)


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise BadAnswerError(f"a key stands twice: {[key for key, _ in pairs]}")
    return dict(pairs)


def _tokens(choice: dict[str, Any]) -> list[tuple[str, dict[str, float]]]:
    """Tokens with their alternatives' log-probabilities; none if the endpoint gives none in the documented form."""
    try:
        return [
            (each["token"], {top["token"]: float(top["logprob"]) for top in each["top_logprobs"]})
            for each in choice["logprobs"]["content"]
        ]
    except (KeyError, TypeError, ValueError):
        return []


def _probabilities(completion: Completion, keys: list[str]) -> dict[str, list[float]]:
    """[p_0, …, p_4] by dimension, from the alternatives of each grade's own token; nothing unless all are found."""
    text = "".join(token for token, _ in completion.tokens)
    places = [match.start(1) for match in _GRADE.finditer(text)]
    ends = list(accumulate(len(token) for token, _ in completion.tokens))
    found = {}
    for key, place in zip(keys, places, strict=False):
        index = next(index for index, end in enumerate(ends) if end > place)
        shares = _shares(completion.tokens[index][1])
        if shares:
            found[key] = shares
    return found if len(found) == len(keys) == len(places) else {}


def _shares(alternatives: dict[str, float]) -> list[float]:
    """The probabilities of the grades among a token's alternatives, made to add up to 1."""
    weights = [0.0] * (MAX_GRADE + 1)
    for token, logprob in alternatives.items():
        if token.strip() in {str(grade) for grade in range(MAX_GRADE + 1)}:
            weights[int(token)] += math.exp(min(logprob, 0.0))
    total = sum(weights)
    return [weight / total for weight in weights] if total > 0 else []
