"""Priorities, aborts, times to live, shared tokens, hidden states and vLLM's route."""

import threading
from typing import Any

import httpx
import pytest

from models.engine.base import Engine, ScoreJob
from models.engine.batcher import BatchConfig
from tests.models.running import COMPLETION, SCORE, eventually, post, serving
from tests.models.server.test_crowds import Unhurried, _asking, _pending
from tests.models.server.test_life import Stalling

VLLM = {"query": [5, 6, 7], "items": [[8, 9], [10, 11, 12]], "label_token_ids": [40, 41]}


def abort(url: str, **body: Any) -> httpx.Response:
    return httpx.post(f"{url}/abort_request", json=body)


def test_requests_of_a_higher_priority_are_computed_first() -> None:
    engine = Unhurried()
    engine.go.clear()
    with serving(engine, batching=BatchConfig(batch_jobs=1)) as url:
        callers = [_asking(url, SCORE | {"query": [1]})]
        eventually(lambda: _pending(url), wanted=6.0)
        for query, priority in ((2, -1), (3, 0), (4, 7)):
            callers.append(_asking(url, SCORE | {"query": [query], "priority": priority}))
            eventually(lambda: _pending(url), wanted=6.0 * len(callers))
        engine.go.set()
        for caller in callers:
            caller.join()
    assert engine.order == [1, 4, 3, 2]


@pytest.mark.parametrize("everything", [True, False])
def test_an_aborted_request_leaves_the_queue_at_once(everything: bool) -> None:
    engine, answers = Stalling(), list[httpx.Response]()
    with serving(engine) as url:
        first = _asking(url, SCORE)
        assert engine.entered.wait(5)
        ask = threading.Thread(target=lambda: answers.append(post(url, "score", SCORE | {"rid": "a"})))
        ask.start()
        eventually(lambda: _pending(url), wanted=16.0)
        assert post(url, "score", SCORE | {"rid": "a"}).json()["message"].startswith("rid 'a' is in use")
        assert abort(url, rid="b").status_code == 200
        assert abort(url, **({"abort_all": True} if everything else {"rid": "a"})).content == b""
        ask.join()
        assert _pending(url) == 8.0
        engine.go.set()
        first.join()
        counted = f'refusals_total{{reason="aborted",route="/v1/score"}} {2.0 if everything else 1.0}'
        assert counted in httpx.get(f"{url}/metrics").text
    assert (answers[0].status_code, answers[0].json()["message"]) == (503, "the request was aborted")


def test_an_aborted_completion_says_so() -> None:
    engine, answers = Stalling(), list[httpx.Response]()
    with serving(engine) as url:
        body = COMPLETION | {"prompt": [[5]] * 70, "rid": "a"}
        ask = threading.Thread(target=lambda: answers.append(post(url, "completions", body)))
        ask.start()
        assert engine.entered.wait(5)
        assert abort(url, rid="a").status_code == 200
        left = 'pending_tokens{task="completions"} 3136.0'
        eventually(lambda: left in httpx.get(f"{url}/metrics").text, wanted=True)
        engine.go.set()
        ask.join()
    assert (answers[0].status_code, answers[0].json()["id"]) == (200, "a")
    assert answers[0].json()["choices"][-1] | {"index": 0} == {
        "index": 0,
        "text": "",
        "logprobs": None,
        "finish_reason": "abort",
        "matched_stop": None,
    }


def test_an_abort_of_nothing_is_refused(url: str) -> None:
    assert abort(url).status_code == 400
    assert abort(url, rid=7).status_code == 400


@pytest.mark.parametrize(
    ("ttl", "status"),
    [("-1", 400), ("nan", 400), ("inf", 400), ("x", 400), ("0", 503), ("1e300", 200), ("9000", 200)],
)
def test_a_request_is_answered_within_its_time_to_live(url: str, ttl: str, status: int) -> None:
    assert post(url, "score", SCORE, **{"x-request-ttl-ms": ttl}).status_code == status


def test_cached_tokens_are_those_of_shared_prefixes(url: str) -> None:
    assert post(url, "score", SCORE).json()["usage"]["prompt_tokens_details"] == {"cached_tokens": 3}
    one = post(url, "score", SCORE | {"items": [[8]]}).json()
    assert one["usage"]["prompt_tokens_details"] is None


def test_hidden_states_are_those_of_the_last_tokens_and_change_no_score(url: str) -> None:
    plain, both = (
        post(url, "score", SCORE | more).json() for more in ({}, {"return_pooled_hidden_states": True})
    )
    assert both["scores"] == plain["scores"]
    assert [len(row) for row in both["pooled_hidden_states"]] == [32, 32]
    alone = SCORE | {"items": SCORE["items"][1:], "return_pooled_hidden_states": True}
    (row,) = post(url, "score", alone).json()["pooled_hidden_states"]
    assert row == pytest.approx(both["pooled_hidden_states"][1], abs=1e-4)


def test_vllms_route_gives_the_first_labels_score_in_vllms_form(url: str) -> None:
    answer = httpx.post(f"{url}/generative_scoring", json=VLLM | {"request_id": "r"}).json()
    rows = post(url, "score", SCORE).json()["scores"]
    assert [one["score"] for one in answer["data"]] == [row[0] for row in rows]
    assert (answer["id"], answer["object"], answer["model"]) == ("generative-scoring-r", "list", "tiny@1")
    assert answer["usage"]["total_tokens"] == 13
    text = VLLM | {"query": "night nurse", "items": [" ward", " kitchen"], "apply_softmax": False}
    assert len(httpx.post(f"{url}/generative_scoring", json=text).json()["data"]) == 2


@pytest.mark.parametrize(
    "wrong", [{"items": []}, {"temperature": 2}, {"query": None}, {"label_token_ids": []}, {"priority": "x"}]
)
def test_vllms_route_refuses_in_vllms_form(url: str, wrong: dict[str, Any]) -> None:
    answer = httpx.post(f"{url}/generative_scoring", json=VLLM | wrong)
    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_more_equal_prompts_than_tokens_are_scored(engine: Engine) -> None:
    job = ScoreJob(
        prefix=[5, 6, 7], items=[[1]] * 300, labels=[[1]] * 300, softmax_over_labels=False, temperature=1.0
    )
    (rows,) = engine.score_many([job])
    assert rows == [rows[0]] * 300
