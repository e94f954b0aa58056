import asyncio
import math
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch

from models.engine.base import Engine, ScoreJob
from models.engine.batcher import BatchConfig
from models.engine.instant import InstantEngine
from models.prompts import Prompter
from tests.models.running import (
    COMPLETION,
    SCORE,
    post,
    serving,
)
from tests.support.tiny import word_piece_tokenizer, write_tokenizer


@pytest.mark.timeout(60)
def test_scores_of_ids_are_those_of_the_engine(url: str, engine: Engine) -> None:
    answer = post(url, "score", SCORE | {"temperature": 2.0}).json()
    job = ScoreJob(
        prefix=[5, 6, 7],
        items=[[8, 9], [10, 11, 12]],
        labels=[[40, 41]] * 2,
        softmax_over_labels=True,
        temperature=2.0,
    )
    torch.testing.assert_close(
        torch.tensor(answer["scores"]), torch.tensor(engine.score_many([job])[0]), atol=1e-6, rtol=0
    )
    assert answer["model"] == "tiny@1"
    assert answer["object"] == "scoring"
    assert answer["usage"]["prompt_tokens"] == answer["usage"]["total_tokens"] == 11


def test_text_is_scored_as_the_joined_string(url: str, engine: Engine) -> None:
    text, labels = (
        ("night nurse", [" ward", " kitchen"]),
        {"label_token_ids": [40, 41], "apply_softmax": True},
    )
    for item_first in (False, True):
        joined = [item + text[0] if item_first else text[0] + item for item in text[1]]
        by_ids = {"query": [], "items": engine.encode_many(joined)}
        by_text = {"query": text[0], "items": text[1], "item_first": item_first}
        assert_scores_equal(post(url, "score", by_text | labels), post(url, "score", by_ids | labels))


def test_the_smallest_temperature_gives_the_likeliest_label_everything(url: str) -> None:
    for cold in (1e-40, 5e-324):
        rows = post(url, "score", SCORE | {"temperature": cold}).json()["scores"]
        assert [sorted(row) for row in rows] == [[0.0, 1.0]] * 2


def test_item_first_puts_the_query_last(url: str) -> None:
    swapped = SCORE | {"query": [1, 2], "items": [[3], [4, 5]], "item_first": True}
    plain = SCORE | {"query": [], "items": [[3, 1, 2], [4, 5, 1, 2]]}
    assert_scores_equal(post(url, "score", swapped), post(url, "score", plain))


def test_without_softmax_the_scores_are_shares_of_the_whole_vocabulary(url: str) -> None:
    every = SCORE | {"apply_softmax": False, "label_token_ids": list(range(2, 60))}
    (row, _) = post(url, "score", every).json()["scores"]
    assert 0 < sum(row) < 1
    assert math.isclose(sum(post(url, "score", SCORE).json()["scores"][0]), 1, rel_tol=1e-6)


def test_one_text_item_and_no_items_are_answered(url: str) -> None:
    one = post(url, "score", {"query": "a", "items": "b", "label_token_ids": [4, 5]})
    assert len(one.json()["scores"]) == 1
    nothings: tuple[dict[str, Any], ...] = (
        {"items": []},
        {"items": ""},
        {"items": [], "label_token_ids": []},
    )
    for nothing in nothings:
        none = post(url, "score", SCORE | nothing)
        assert (none.status_code, none.json()["scores"]) == (200, [])
        assert none.json()["usage"]["total_tokens"] == 0


def test_each_item_may_have_its_own_labels(url: str) -> None:
    own = post(url, "score", SCORE | {"label_token_ids": [[40, 41], [42]], "apply_softmax": False}).json()
    for index, labels in enumerate([[40, 41], [42]]):
        one = {"items": [SCORE["items"][index]], "label_token_ids": labels, "apply_softmax": False}
        torch.testing.assert_close(
            torch.tensor([own["scores"][index]]),
            torch.tensor(post(url, "score", SCORE | one).json()["scores"]),
            atol=1e-6,
            rtol=0,
        )


def test_log_probabilities_are_those_of_the_whole_vocabulary_whatever_the_temperature(url: str) -> None:
    shares = post(url, "score", SCORE | {"apply_softmax": False}).json()
    assert shares["token_logprobs"] is None
    for changes in ({"apply_softmax": False}, {"temperature": 2.0}):
        both = post(url, "score", SCORE | changes | {"return_token_logprobs": True}).json()
        want = post(url, "score", SCORE | changes).json()
        torch.testing.assert_close(
            torch.tensor(both["token_logprobs"]).exp(), torch.tensor(shares["scores"]), atol=1e-6, rtol=1e-5
        )
        torch.testing.assert_close(
            torch.tensor(both["scores"]), torch.tensor(want["scores"]), atol=1e-5, rtol=0
        )


def test_without_a_query_the_items_are_the_prompts(url: str) -> None:
    for items, empty in (([[5, 6], [7]], []), (["night nurse"], "")):
        bare = {"items": items, "label_token_ids": [40, 41], "apply_softmax": True}
        assert_scores_equal(post(url, "score", bare), post(url, "score", bare | {"query": empty}))
        assert_scores_equal(post(url, "score", bare | {"query": None}), post(url, "score", bare))


def test_a_request_over_one_batch_is_scored_as_if_it_were_small(engine: Engine) -> None:
    items = [[4 + i % 50] * (1 + i % 7) for i in range(60)]
    body = SCORE | {"items": items, "label_token_ids": [[40 + i % 3, 50] for i in range(60)]}
    with serving(engine, batching=BatchConfig(batch_tokens=64)) as parted, serving(engine) as whole:
        assert_scores_equal(post(parted, "score", body), post(whole, "score", body))
        found, expected = (post(url, "score", body).json()["usage"] for url in (parted, whole))
        # items of different batches share nothing
        assert found.pop("prompt_tokens_details") != expected.pop("prompt_tokens_details")
        assert found == expected


def test_an_answer_has_the_keys_of_sglang_in_their_order(url: str) -> None:
    answer = post(url, "score", SCORE).json()
    assert list(answer) == ["scores", "pooled_hidden_states", "token_logprobs", "model", "usage", "object"]
    assert list(answer["usage"]) == [
        "prompt_tokens",
        "total_tokens",
        "completion_tokens",
        "prompt_tokens_details",
        "reasoning_tokens",
        "completion_tokens_details",
    ]


def test_completions_answer_each_prompt_in_its_place(url: str) -> None:
    single = [post(url, "completions", COMPLETION | {"prompt": p}).json() for p in ([5, 6, 7], "nurse")]
    texts = [answer["choices"][0]["text"] for answer in single]
    both = post(url, "completions", COMPLETION | {"prompt": [[5, 6, 7], [9] * 30, [5, 6, 7]]}).json()
    assert [choice["index"] for choice in both["choices"]] == [0, 1, 2]
    assert both["choices"][0]["text"] == both["choices"][2]["text"] == texts[0]
    assert both["usage"]["prompt_tokens"] == 36
    assert both["usage"]["total_tokens"] == 36 + both["usage"]["completion_tokens"]
    assert both["model"] == "tiny@1"
    assert (
        post(url, "completions", COMPLETION | {"prompt": ["nurse"]}).json()["choices"][0]["text"] == texts[1]
    )


def test_models_health_and_metrics_tell_what_is_served(url: str) -> None:
    cards = httpx.get(f"{url}/v1/models").json()["data"]
    assert [(card["id"], card["task"], card["max_model_len"]) for card in cards] == [
        ("tiny@1", "score", 512),
        ("tiny@1", "completions", 512),
    ]
    assert httpx.get(f"{url}/health").status_code == 200
    post(url, "score", SCORE)
    post(url, "score", b"{")
    page = httpx.get(f"{url}/metrics").text
    assert 'nearline_model_requests_total{route="/v1/score",status="200"}' in page
    assert 'nearline_model_requests_total{route="/v1/score",status="400"}' in page
    assert 'nearline_model_pending_tokens{task="score"} 0.0' in page


def test_another_generation_of_the_model_is_answered_with_the_true_name(url: str) -> None:
    for asked in ("tiny", "tiny@7", "default"):
        assert post(url, "score", SCORE | {"model": asked}).json()["model"] == "tiny@1"


def test_fields_that_ask_for_nothing_change_nothing_and_without_a_temperature_the_answer_is_greedy(
    url: str,
) -> None:
    unknown = {"top_p": 0.1, "seed": 3, "logprobs": None, "user": "u"}
    greedy = COMPLETION | {"temperature": 0.0, "max_tokens": 30}
    bare = {name: value for name, value in greedy.items() if name != "temperature"}
    texts = [post(url, "completions", body).json()["choices"][0] for body in (greedy, bare, bare | unknown)]
    assert texts == [texts[0]] * 3
    assert_scores_equal(post(url, "score", SCORE | unknown), post(url, "score", SCORE))


@pytest.mark.timeout(60)
def test_many_clients_at_once_each_get_their_own_scores(url: str) -> None:
    bodies = [SCORE | {"query": [2 + i, 3], "items": [[4 + i] * (1 + i % 5)] * (i % 4)} for i in range(200)]

    async def ask_all() -> list[Any]:
        async with httpx.AsyncClient(timeout=50, limits=httpx.Limits(max_connections=200)) as client:
            answers = await asyncio.gather(*(client.post(f"{url}/v1/score", json=body) for body in bodies))
        return [answer.json()["scores"] for answer in answers]

    together = asyncio.run(ask_all())
    for index in range(0, 200, 17):
        alone = post(url, "score", bodies[index]).json()["scores"]
        torch.testing.assert_close(torch.tensor(together[index]), torch.tensor(alone), atol=1e-6, rtol=0)


def test_the_instant_engine_continues_ids_with_the_first_words_of_the_text(tmp_path: Path) -> None:
    from models.prompts import load_tokenizer, summarizer_input

    path = write_tokenizer(tmp_path, word_piece_tokenizer())
    (ids,) = Prompter(load_tokenizer(path)).summarizer_ids_many(
        [summarizer_input("Welder", "steel work by day")]
    )
    with serving(InstantEngine("summarizer@0", path)) as url:
        answer = post(url, "completions", {"prompt": ids, "max_tokens": 3}).json()
        assert answer["choices"][0]["text"] == "steel work by"
        assert answer["choices"][0]["finish_reason"] == "length"
        longer = post(url, "completions", {"prompt": ids, "max_tokens": 9}).json()
        assert longer["choices"][0] | {"text": ""} == answer["choices"][0] | {
            "text": "",
            "finish_reason": "stop",
        }


def assert_scores_equal(one: httpx.Response, other: httpx.Response) -> None:
    assert one.json()["scores"]
    torch.testing.assert_close(
        torch.tensor(one.json()["scores"]), torch.tensor(other.json()["scores"]), atol=1e-6, rtol=0
    )
