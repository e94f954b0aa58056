"""OpenAI's own client against our model server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.models.running import COMPLETION, post

if (
    TYPE_CHECKING
):  # each worker of a test run collects all tests; only the one that runs these loads the client
    import openai

PROMPT = "night nurse"


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[openai.OpenAI]:
    import openai

    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=9) as client:
        yield client


def test_a_completion_and_its_stream_hold_the_same_text(client: openai.OpenAI) -> None:
    whole = client.completions.create(model="tiny@1", prompt=PROMPT, max_tokens=12)
    events = list(
        client.completions.create(
            model="tiny@1",
            prompt=PROMPT,
            max_tokens=12,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    pieces = [choice for event in events for choice in event.choices]
    assert "".join(choice.text for choice in pieces) == whole.choices[0].text
    assert pieces[-1].finish_reason == whole.choices[0].finish_reason
    assert len(pieces) > 2
    assert whole.usage is not None
    assert events[-1].usage is not None
    assert events[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert [event.usage for event in events[:-1]] == [None] * (len(events) - 1)


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    assert {model.id for model in client.models.list()} == {"tiny@1"}
    assert client.models.retrieve("tiny@7").id == "tiny@1"


def test_errors_are_the_clients_typed_exceptions(client: openai.OpenAI) -> None:
    import openai

    with pytest.raises(openai.BadRequestError, match="n:"):
        client.completions.create(model="tiny@1", prompt=PROMPT, n=2)
    with pytest.raises(openai.NotFoundError, match="not served here"):
        client.models.retrieve("other")
    with pytest.raises(openai.InternalServerError):
        client.completions.create(
            model="tiny@1", prompt=PROMPT, stream=True, extra_headers={"x-request-ttl-ms": "0"}
        )


def test_a_stop_string_is_never_sent(url: str, client: openai.OpenAI) -> None:
    text = post(url, "completions", COMPLETION | {"max_tokens": 20}).json()["choices"][0]["text"]
    stop = text[4:7]
    events = client.completions.create(
        model="tiny@1", prompt=COMPLETION["prompt"], max_tokens=20, stop=stop, stream=True
    )
    assert "".join(choice.text for event in events for choice in event.choices) == text[: text.find(stop)]
