"""Baselines: each keeps what its method says, within the share asked for."""

import json
from typing import Any

import httpx
import numpy as np
import pytest

from schemas.errors import ModelRejected, ModelUnavailable
from tests.training.rl.world import count, posting
from training.rl.baselines.base import Shortener
from training.rl.baselines.models import PROMPTS, PromptShortener
from training.rl.baselines.words import Keywords, Lead, NoDescription, TextRank, WithoutStopWords, pagerank

TEXT = (
    "We run a bakery in the town. The baker bakes bread at night. Bread and cakes are sold in the bakery. "
    "Parking is free. The baker of the bakery earns a fair wage for bread at night."
)
OTHERS = [posting(n, "We are in the town and parking is free for a fair wage") for n in range(1, 9)]


@pytest.mark.parametrize("shortener", [Lead(count), TextRank(count), Keywords(count, OTHERS)])
@pytest.mark.parametrize("share", [0.1, 0.3, 1.0])
def test_a_share_is_kept_to(shortener: Shortener, share: float) -> None:
    (found,) = shortener.shorten_many([posting(0, TEXT)], share)
    length = count([found])[0]
    assert 1 <= length <= share * count([TEXT])[0]
    assert set(found.lower().replace(".", "").split()) <= set(TEXT.lower().replace(".", "").split())


def test_each_keeps_what_its_method_says() -> None:
    rows = [posting(0, TEXT)]
    assert NoDescription().shorten_many(rows, 0.5) == [""]
    assert Lead(count).shorten_many(rows, 0.2) == ["We run a bakery in the town."]
    assert "baker" in Keywords(count, [*rows, *OTHERS]).shorten_many(rows, 0.1)[0]
    assert TextRank(count).shorten_many(rows, 0.3)[0].startswith("The baker")
    kept = WithoutStopWords().shorten_many(rows, 0.5)[0].lower().split()
    assert "the" not in kept
    assert "parking" in kept


def test_texts_without_words_stay_empty() -> None:
    for shortener in (Lead(count), TextRank(count), Keywords(count, OTHERS), WithoutStopWords()):
        assert shortener.shorten_many([posting(0, "")], 0.1) == [""]


def test_pagerank_is_the_stationary_distribution() -> None:
    ranks = pagerank(np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]))
    assert ranks.sum() == pytest.approx(1.0)
    assert ranks[0] > ranks[1] == pytest.approx(ranks[2])


@pytest.mark.parametrize("prompt", PROMPTS)
def test_prompts_are_asked_of_a_completions_endpoint_in_the_order_of_the_postings(prompt: str) -> None:
    asked: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        asked.append(body)
        name = next(name for name in ("Python", "welding") if name in body["prompt"])
        return httpx.Response(200, json={"choices": [{"text": f" about {name}\n"}]})

    client = httpx.Client(base_url="http://there", transport=httpx.MockTransport(answer))
    shortener = PromptShortener(prompt, "http://there", "small", client)
    rows = [posting(1, "We write Python."), posting(2, ""), posting(3, "Steel welding by night.")]
    assert shortener.shorten_many(rows, 0.1) == ["about Python", "", "about welding"]
    assert len(asked) == 2
    assert {(body["model"], body["temperature"]) for body in asked} == {("small", 0)}
    assert all(PROMPTS[prompt].partition("{text}")[0] in body["prompt"] for body in asked)


def test_an_endpoint_that_is_away_or_refuses_is_named() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    for handler, error in (
        (away, ModelUnavailable),
        (lambda _: httpx.Response(400, json={"error": {"message": "too long"}}), ModelRejected),
        (lambda _: httpx.Response(200, json={"choices": []}), ModelUnavailable),
    ):
        client = httpx.Client(base_url="http://there", transport=httpx.MockTransport(handler))
        with pytest.raises(error):
            PromptShortener("yaml", "http://there", "small", client).shorten_many([posting(1)], 0.1)
