import contextlib
import json
import math
import re
import socket
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.engine.instant import InstantEngine
from models.server.complete import generate_jobs
from models.server.requests import BadRequest, CompletionBody, ScoreBody, parse
from models.server.score import score_answer, score_request
from models.server.service import ServedModels
from tests.models.running import (
    COMPLETION,
    LIMITS,
    SCORE,
    post,
    running,
)

BAD_SCORES: dict[str, tuple[Any, str]] = {
    "no JSON": (b"query", "JSON"),
    "cut JSON": (b'{"query": [1', "JSON"),
    "deep JSON": (b"[" * 20_000, "JSON"),
    "nothing but lists": (b"[" + b"[]," * 60_000 + b"1]", "more than 50000 lists"),
    "not UTF-8": (b'{"query": "\xff"}', "JSON|unicode|UTF"),
    "no object": ([1], "object|dict"),
    "nothing": ({}, "items"),
    "labels null": (SCORE | {"label_token_ids": None}, "label_token_ids"),
    "items null": (SCORE | {"items": None}, "items"),
    "no labels": (SCORE | {"label_token_ids": []}, "must not be empty"),
    "negative label": (SCORE | {"label_token_ids": [-1, 2]}, "label_token_ids holds token ids outside"),
    "label out of vocabulary": (SCORE | {"label_token_ids": [1, 10**6]}, "outside"),
    "label too large to count": (SCORE | {"label_token_ids": [1, 10**30]}, "label_token_ids"),
    "duplicate labels": (SCORE | {"label_token_ids": [3, 3]}, "duplicates"),
    "65 labels": (SCORE | {"label_token_ids": list(range(65))}, "at most 64"),
    "label true": (SCORE | {"label_token_ids": [True, 2]}, "label_token_ids"),
    "label text": (SCORE | {"label_token_ids": ["1", 2]}, "label_token_ids"),
    "label 1.5": (SCORE | {"label_token_ids": [1.5, 2]}, "label_token_ids"),
    "query out of vocabulary": (SCORE | {"query": [999_999]}, "query holds"),
    "item out of vocabulary": (SCORE | {"items": [[1], [-4]]}, "item 1 holds"),
    "empty prompt": (SCORE | {"query": [], "items": [[1], []]}, "item 1: the prompt is empty"),
    "empty text prompt": (SCORE | {"query": "", "items": [""]}, "the prompt is empty"),
    "text query, ids items": (SCORE | {"query": "nurse"}, "query is text but items are token ids"),
    "ids query, text items": (SCORE | {"items": ["nurse"]}, "query is token ids but items are text"),
    "mixed items": (SCORE | {"items": [[1], "nurse"]}, "items"),
    "item over the context": (SCORE | {"items": [[1] * 510]}, "513 tokens, at most 512"),
    "10,000 items": (SCORE | {"items": [[1]] * 10_000}, "10000 items"),
    "a million wrong items": (
        b'{"query":[1],"label_token_ids":[1,2],"items":[' + b"1," * 90_000 + b"1]}",
        "items",
    ),
    "too many tokens": (SCORE | {"items": [[1] * 100] * 201}, "at most 20000"),
    "an item without labels": (SCORE | {"label_token_ids": [[1], []]}, "must not be empty"),
    "labels for one item of two": (SCORE | {"label_token_ids": [[1, 2]]}, "1 lists, the request 2 items"),
    "labels half in lists": (SCORE | {"label_token_ids": [[1], 2]}, "label_token_ids"),
    "an item's duplicate labels": (SCORE | {"label_token_ids": [[1], [2, 2]]}, "duplicates"),
    "an item's label out of vocabulary": (SCORE | {"label_token_ids": [[1], [10**6]]}, "outside"),
    "temperature without softmax": (
        SCORE | {"temperature": 2.0, "apply_softmax": False},
        "temperature requires apply_softmax",
    ),
    "temperature without softmax or items": (
        SCORE | {"temperature": 2.0, "apply_softmax": False, "items": []},
        "temperature requires apply_softmax",
    ),
    "setwise readout": (SCORE | {"score_extraction_token": "x"}, "score_extraction_token is not served"),
    "vectors for the query": (SCORE | {"query_embed_overrides": [[0.5]]}, "overrides is not served"),
    "vectors for items": (SCORE | {"item_embed_overrides": [None]}, "overrides is not served"),
    "priority text": (SCORE | {"priority": "1"}, "priority"),
    "rid empty": (SCORE | {"rid": ""}, "rid"),
    "model null": (SCORE | {"model": None}, "model"),
    "temperature text": (SCORE | {"temperature": "2"}, "temperature"),
    "temperature true": (SCORE | {"temperature": True}, "temperature"),
    "empty body": (b"", "JSON"),
    "temperature 0": (SCORE | {"temperature": 0}, "temperature"),
    "temperature NaN": (json.dumps(SCORE | {"temperature": math.nan}).encode(), "temperature|JSON"),
    "temperature infinite": (json.dumps(SCORE | {"temperature": math.inf}).encode(), "temperature|JSON"),
    "softmax as text": (SCORE | {"apply_softmax": "yes"}, "apply_softmax"),
    "unpaired surrogate": (b'{"query":"\\ud800","items":["a"],"label_token_ids":[1,2]}', "surrogate|JSON"),
}
BAD_COMPLETIONS: dict[str, tuple[Any, str]] = {
    "no prompt": ({}, "prompt"),
    "empty ids": (COMPLETION | {"prompt": []}, "the prompt is empty"),
    "empty text": (COMPLETION | {"prompt": ""}, "the prompt is empty"),
    "empty among good": (COMPLETION | {"prompt": ["a", ""]}, "prompt 1.*is empty"),
    "out of vocabulary": (COMPLETION | {"prompt": [5, 70_000]}, "outside"),
    "mixed": (COMPLETION | {"prompt": ["a", [1]]}, "prompt"),
    "over the context": (COMPLETION | {"prompt": [1] * 507}, "507 tokens, at most 506"),
    "answer over the context": (COMPLETION | {"max_tokens": 4000}, "at most 0 fit"),
    "no tokens asked": (COMPLETION | {"max_tokens": 0}, "max_tokens"),
    "too many prompts": (COMPLETION | {"prompt": [[1]] * 401}, "401 prompts"),
    "several answers": (COMPLETION | {"n": 2}, "n:"),
    "several streamed answers": (COMPLETION | {"n": 2, "stream": True}, "n:"),
    "stream as text": (COMPLETION | {"stream": "yes"}, "stream"),
    "stream options without a stream": (
        COMPLETION | {"stream_options": {"include_usage": True}},
        "only allowed with stream",
    ),
    "unknown stream option": (COMPLETION | {"stream": True, "stream_options": {"x": 1}}, "stream_options.x"),
    "usage in every event": (
        COMPLETION | {"stream": True, "stream_options": {"continuous_usage_stats": True}},
        "continuous_usage_stats: is not served",
    ),
    "priority text": (COMPLETION | {"priority": "high"}, "priority"),
    "priority true": (COMPLETION | {"priority": True}, "priority"),
    "priority 1.5": (COMPLETION | {"priority": 1.5}, "priority"),
    "priority too high": (COMPLETION | {"priority": 2**31}, "priority"),
    "rid number": (COMPLETION | {"rid": 7}, "rid"),
    "rid empty": (COMPLETION | {"rid": ""}, "rid"),
    "rid too long": (COMPLETION | {"rid": "x" * 257}, "rid"),
    "rid list": (COMPLETION | {"rid": ["a"]}, "rid"),
    "negative temperature": (COMPLETION | {"temperature": -1}, "temperature"),
    "penalty out of range": (COMPLETION | {"frequency_penalty": 3}, "frequency_penalty"),
}


@pytest.mark.parametrize(
    ("route", "body", "message"),
    [pytest.param("score", *case, id=name) for name, case in BAD_SCORES.items()]
    + [pytest.param("completions", *case, id=name) for name, case in BAD_COMPLETIONS.items()],
)
def test_bad_input_is_answered_400_with_its_reason(url: str, route: str, body: Any, message: str) -> None:
    answer = post(url, route, body)
    error = answer.json()
    assert answer.status_code == 400
    assert set(error) == {"object", "message", "type", "param", "code"}
    assert (error["object"], error["code"]) == ("error", 400)
    assert error["type"] in {"BadRequestError", "Bad Request"}
    assert len(error["message"]) < 300
    assert_matches(message, error["message"])
    assert post(url, "score", SCORE).status_code == 200


def test_a_body_over_the_limit_is_answered_413(url: str) -> None:
    answer = post(url, "score", SCORE | {"items": [[1] * 200_000]})
    assert (answer.status_code, answer.json()["code"]) == (413, 413)
    assert post(url, "score", SCORE).status_code == 200


def test_a_50_mb_body_ends_its_own_connection_at_most(url: str) -> None:
    with contextlib.suppress(httpx.TransportError):  # cut off while still sending
        assert post(url, "score", b" " * 50_000_000).status_code == 413
    assert post(url, "score", SCORE).status_code == 200


def test_unknown_routes_methods_and_models_are_answered_as_errors(url: str) -> None:
    assert post(url, "nothing", {}).json()["type"] == "NotFoundError"
    assert httpx.get(f"{url}/v1/score").json()["code"] == 405
    answer = post(url, "score", SCORE | {"model": "summarizer"})
    assert (answer.status_code, answer.json()["message"]) == (
        404,
        "model 'summarizer' is not served here, 'tiny@1' is",
    )


@pytest.mark.parametrize("deadline", ["soon", "nan", "inf"])
def test_a_deadline_that_is_no_time_is_answered_400(url: str, deadline: str) -> None:
    assert post(url, "score", SCORE, **{"x-deadline-ms": deadline}).status_code == 400


def test_a_route_without_its_model_names_the_option_that_is_missing() -> None:
    from models.server.app import create_app

    with running(create_app(ServedModels(), LIMITS)) as url:
        answer = post(url, "completions", COMPLETION)
    assert answer.status_code == 404
    assert "--summarizer DIR" in answer.json()["message"]


def test_a_caller_that_hangs_up_amid_its_body_hurts_nobody(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{")
    assert post(url, "score", SCORE).status_code == 200


def assert_matches(pattern: str, text: str) -> None:

    assert re.search(pattern, text), text


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = sorted({*SCORE, *COMPLETION, "item_first", "temperature", "stop", "frequency_penalty", "n", "model"})


@settings(deadline=None, max_examples=300)
@given(good=st.sampled_from([SCORE, COMPLETION]), changes=st.dictionaries(st.sampled_from(FIELDS), anything))
def test_any_json_becomes_a_job_within_the_limits_or_a_bad_request(
    good: dict[str, Any], changes: dict[str, Any]
) -> None:
    engine = InstantEngine("any@1")
    body = json.dumps({**good, **changes}).encode()
    refusal = ""
    try:
        if good is SCORE:
            scoring = score_request(parse(ScoreBody, body), engine, LIMITS, 8_192)
            assert all(job.prefix + row for job in scoring.jobs for row in job.items)
            answer = score_answer(scoring, engine.score_many(scoring.jobs), engine.info)
            assert len(answer["scores"]) == scoring.items
        else:
            for one in generate_jobs(parse(CompletionBody, body), engine, LIMITS):
                assert 0 < len(one.prompt) <= engine.info.context_tokens - one.max_tokens
    except BadRequest as error:
        refusal = str(error)
    assert len(refusal) < 300


@settings(deadline=None, max_examples=200)
@given(body=st.binary(max_size=60))
def test_any_bytes_are_parsed_or_refused(body: bytes) -> None:
    with contextlib.suppress(BadRequest):
        parse(ScoreBody, body)
