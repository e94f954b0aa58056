"""What both servers are asked: recorded edge cases, and requests drawn with a seed; and when two answers agree."""

import json
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

TOLERANCE = 1e-4
DIES = 0
"""The recorded status of what ends an SGLang."""
VOCABULARY = 384
TOKENIZER_VOCABULARY = 360
"""The model has more ids than its tokenizer, as Qwen3 has."""
NAME = "ranker@1"
WORDS = (
    "night nurse",
    " welder",
    " Berlin",
    "steel work",
    "\n",
    " ward",
    "焊工",
    " und",
    ", remote",
    " 2,50 €",
    "?",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request, and what SGLang 0.5.23 said to it: `status` and, of a refusal, the error's `kind`."""

    name: str
    content: bytes
    route: str = "score"
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    kind: str | None = None

    def post(self, url: str) -> httpx.Response:
        headers = {"content-type": "application/json", **self.headers}
        return httpx.post(f"{url}/v1/{self.route}", content=self.content, headers=headers, timeout=600)


def edge_cases() -> list[Case]:
    rows = json.loads(Path(__file__).with_name("edge_cases.json").read_text())
    return [
        Case(
            name=row["name"],
            content=(row["raw"] if "raw" in row else json.dumps(row["body"])).encode(),
            route=row.get("route", "score"),
            headers=row.get("headers", {}),
            status=row["status"],
            kind=row.get("type"),
        )
        for row in rows
    ]


def generated(seed: int, count: int) -> Iterator[Case]:
    """Good requests to `/v1/score` in every combination of its fields, 1 to 40 items long."""
    rng = random.Random(seed)
    for number in range(count):
        body = _texts(rng) if rng.random() < 0.4 else _ids(rng)
        items = 1 if isinstance(body["items"], str) else len(body["items"])
        body |= _readout(rng, items)
        yield Case(name=f"generated {number}", content=json.dumps(body).encode())


def _readout(rng: random.Random, items: int) -> dict[str, Any]:
    softmax = rng.random() < 0.6
    given: dict[str, Any] = {"model": NAME, "apply_softmax": softmax}
    if softmax and rng.random() < 0.5:
        given["temperature"] = round(10 ** rng.uniform(-1, 1), 3)
    if rng.random() < 0.4:
        given["item_first"] = rng.random() < 0.7
    if rng.random() < 0.25:
        given["return_token_logprobs"] = True
    apart = rng.random() < 0.25
    given["label_token_ids"] = [_labels(rng) for _ in range(items)] if apart else _labels(rng)
    return given


def _labels(rng: random.Random) -> list[int]:
    return rng.sample(range(TOKENIZER_VOCABULARY), rng.choice((1, 2, 2, 2, 3, 8, 30)))


def _ids(rng: random.Random) -> dict[str, Any]:
    longest = rng.choice((3, 20, 60, 400))
    items = [_row(rng, rng.randint(1, longest)) for _ in range(rng.randint(1, 5 if longest == 400 else 40))]
    return {"query": _row(rng, rng.choice((0, 1, 7, 70))), "items": items}


def _row(rng: random.Random, tokens: int) -> list[int]:
    return [rng.randrange(VOCABULARY) for _ in range(tokens)]


def _texts(rng: random.Random) -> dict[str, Any]:
    items: str | list[str] = [_words(rng, 1, 12) for _ in range(rng.randint(1, 25))]
    return {"query": _words(rng, 0, 8), "items": rng.choice((items, items, items, items[0]))}


def _words(rng: random.Random, least: int, most: int) -> str:
    return "".join(rng.choices(WORDS, k=rng.randint(least, most)))


def disagreements(
    theirs: httpx.Response, ours: httpx.Response, apart: frozenset[str] = frozenset()
) -> list[str]:
    """In what two answers differ, the fields `apart` left out; empty when they agree."""
    if theirs.status_code != ours.status_code:
        return [
            f"{theirs.status_code} by SGLang, {ours.status_code} by ours: {theirs.text:.200} | {ours.text:.200}"
        ]
    left, right = _content(theirs), _content(ours)
    details = "prompt_tokens_details"  # SGLang gives them with --enable-cache-report
    unlike = {"message", "id", "created", "metadata", "matched_stop", details, *apart}
    return list(_unlike("", left, right, unlike))


def _content(answer: httpx.Response) -> Any:
    """The JSON of an answer, or of a stream its joined text and why it ended: events may be cut anywhere."""
    if not answer.headers["content-type"].startswith("text/event-stream"):
        return answer.json()
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    assert lines[-1] == "[DONE]"
    choices = [choice for line in lines[:-1] for choice in json.loads(line)["choices"]]
    return {"text": "".join(one["text"] for one in choices), "ends": choices[-1]["finish_reason"]}


def _unlike(path: str, left: Any, right: Any, skipped: set[str]) -> Iterator[str]:
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted({*left, *right} - skipped):
            yield from _unlike(f"{path}.{key}", left.get(key, "absent"), right.get(key, "absent"), skipped)
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for number, pair in enumerate(zip(left, right, strict=True)):
            yield from _unlike(f"{path}[{number}]", *pair, skipped)
    elif not _same(left, right):
        yield f"{path}: {left!r:.60} by SGLang, {right!r:.60} by ours"


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float | int):
        return math.isclose(left, right, rel_tol=0, abs_tol=TOLERANCE)
    return type(left) is type(right) and bool(left == right)
