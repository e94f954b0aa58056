"""What a completion request asks for is served or refused; no field is passed over without a word."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.engine.instant import InstantEngine
from models.server import Limits
from models.server.app import create_app
from models.server.requests import CompletionBody
from models.server.service import ServedModels
from models.server.unserved import UNSERVED
from tests.models.running import COMPLETION, post, running, serving

PAGE = Path(__file__).parents[2] / "docs" / "model-server.md"
OPENAI = {
    "best_of", "echo", "frequency_penalty", "logit_bias", "logprobs", "max_tokens", "model", "n", "presence_penalty",
    "prompt", "seed", "stop", "stream", "stream_options", "suffix", "temperature", "top_p", "user",
}  # fmt: skip
"""The fields of OpenAI's route."""

ASKED: dict[str, list[Any]] = {
    "best_of": [2, True, "1"],
    "custom_logit_processor": ["x"],
    "ebnf": ['root ::= "a"'],
    "echo": [True, 1, "true"],
    "ignore_eos": [True],
    "json_schema": ['{"type": "object"}'],
    "logit_bias": [{"5": -100}],
    "logprobs": [0, 1, 5, False],
    "lora_path": ["adapter"],
    "min_tokens": [1, 4, False],
    "no_stop_trim": [True],
    "presence_penalty": [0.5, -2],
    "regex": ["[a-z]+", ""],
    "repetition_penalty": [1.1, True],
    "response_format": [{"type": "json_object"}, {"type": "json_schema", "json_schema": {}}, "text"],
    "return_hidden_states": [True, "last"],
    "skip_special_tokens": [False],
    "stop_regex": ["a+", ["b"]],
    "stop_token_ids": [[5]],
    "suffix": ["."],
}
OTHERS: dict[str, list[Any]] = {
    "n": [2, 0],
    "stream": ["yes", 2],
    "stream_options": [{"include_usage": True}],
    "top_p": [0, 1.5, "1"],
    "top_k": [-2, 1.5],
    "min_p": [-0.1, 2],
    "seed": ["x", 1.5],
    "user": [3],
    "max_tokens": [0, "4"],
    "max_completion_tokens": [5],
    "guided_json": [{}],
    "tools": [[]],
    "messages": [[{"role": "user", "content": "x"}]],
    "rid": [["r"], 7],
    "Echo": [True],
    "temprature": [1],
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(InstantEngine("summarizer@7")) as url:
        yield url


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in {**ASKED, **OTHERS}.items() for value in values]
)
def test_a_field_that_is_not_served_is_refused_by_name(url: str, name: str, value: object) -> None:
    answer = post(url, "completions", {**COMPLETION, name: value})
    error = answer.json()
    assert (answer.status_code, error["object"], error["code"]) == (400, "error", 400)
    assert error["type"] in {"BadRequestError", "Bad Request"}
    assert name in error["message"]


def test_every_field_that_is_not_served_is_tried_here() -> None:
    assert ASKED.keys() == UNSERVED.keys()


@pytest.mark.parametrize("name", sorted({*CompletionBody.model_fields, *UNSERVED, "unheard_of"} - {"prompt"}))
def test_null_asks_for_nothing(url: str, name: str) -> None:
    plain = post(url, "completions", COMPLETION).json()["choices"]
    answer = post(url, "completions", {"prompt": COMPLETION["prompt"], "max_tokens": 6, name: None})
    assert answer.status_code == 200, answer.text
    assert name == "max_tokens" or answer.json()["choices"] == plain


def test_values_that_change_nothing_are_answered_as_if_they_were_not_there(url: str) -> None:
    neutral = {name: values[0] for name, values in UNSERVED.items() if values}
    greedy = {"n": 1, "stream": False, "top_p": 0.3, "top_k": 5, "min_p": 0.1, "seed": 7, "user": "u"}
    answer = post(url, "completions", {**COMPLETION, **neutral, **greedy, "stop": [], "model": "default"})
    assert answer.json()["choices"] == post(url, "completions", COMPLETION).json()["choices"]


@pytest.mark.parametrize(("name", "value"), [("top_p", 0.9), ("top_k", 5), ("min_p", 0.1), ("seed", 3)])
def test_what_shapes_sampling_is_refused_once_there_is_sampling(url: str, name: str, value: float) -> None:
    warm = {**COMPLETION, "temperature": 0.7}
    refused = post(url, "completions", {**warm, name: value})
    assert refused.status_code == 400
    assert f"{name} is not served with a temperature above 0" in refused.json()["message"]
    assert post(url, "completions", {**warm, "top_p": 1, "top_k": -1, "min_p": 0}).status_code == 200


def test_every_field_of_openais_route_is_known() -> None:
    assert {*CompletionBody.model_fields, *UNSERVED} >= OPENAI


def test_the_page_and_the_description_name_every_field(url: str) -> None:
    section = PAGE.read_text().split("## What a completion request may hold")[1].split("\n## ")[0]
    named = set(re.findall(r"`([a-z_]+)[`:]", section))
    assert named >= {*CompletionBody.model_fields, *UNSERVED}
    paths = httpx.get(f"{url}/openapi.json").json()["paths"]
    body = paths["/v1/completions"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"].keys() == {*CompletionBody.model_fields, *UNSERVED}
    for name, values in UNSERVED.items():
        assert body["properties"][name]["enum"] == [*values, None]


def test_unknown_fields_of_a_score_are_passed_over_as_sglang_does(url: str) -> None:
    body = {"query": [5], "items": [[6]], "label_token_ids": [1, 2], "top_p": 0.1, "seed": 3}
    assert post(url, "score", body).status_code == 200


@pytest.mark.parametrize("name", ["summarizer@7", "summarizer%407", "summarizer", "summarizer@3"])
def test_a_served_model_is_found_by_its_name(url: str, name: str) -> None:
    answer = httpx.get(f"{url}/v1/models/{name}")
    listed = httpx.get(f"{url}/v1/models").json()["data"]
    assert (answer.status_code, answer.json()) == (200, listed[0])


@pytest.mark.parametrize("name", ["ranker", "ranker@7", "default", "summarize", "a/b", "%00", "x" * 3000])
def test_a_model_that_is_not_served_is_not_found(url: str, name: str) -> None:
    answer = httpx.get(f"{url}/v1/models/{name}")
    error = answer.json()
    assert (answer.status_code, error["type"], error["code"]) == (404, "NotFoundError", 404)
    assert "'summarizer@7'" in error["message"]
    assert len(error["message"]) < 300


def test_a_server_without_models_has_none_by_any_name() -> None:
    with running(create_app(ServedModels(), Limits())) as url:
        answer = httpx.get(f"{url}/v1/models/ranker")
        assert httpx.get(f"{url}/v1/models").json() == {"object": "list", "data": []}
    assert (answer.status_code, answer.json()["type"]) == (404, "NotFoundError")


def test_the_card_has_the_fields_that_openais_client_reads(url: str) -> None:
    card = json.loads(httpx.get(f"{url}/v1/models/summarizer@7").text)
    assert {"id": str, "object": str, "created": int, "owned_by": str} == {
        name: type(card[name]) for name in ("id", "object", "created", "owned_by")
    }
