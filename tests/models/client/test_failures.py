import socket
import time
from dataclasses import replace
from typing import Any

import pytest
from fastapi import Response
from fastapi.responses import JSONResponse

from models.client.http import ClientConfig
from models.client.remote import HttpRanker, HttpSummarizer
from models.summarizer import Summary, SummaryRejected, SummaryUnavailable
from nearline.stack.tools import free_port
from pipeline.control.pace import Pace, PacedSummarizer
from schemas.errors import ModelRejected, ModelUnavailable
from tests.models.running import running
from tests.models.scripted import FAST, POISON, Reply, Scripted, is_poison, item, items, status


@pytest.mark.parametrize("code", [429, 502, 503, 504])
def test_a_busy_server_is_asked_again(server: tuple[Scripted, str], opened: Any, code: int) -> None:
    scripted, url = server
    scripted.replies = {"/v1/score": [status(code), status(code)]}
    assert opened(HttpRanker, url).score_many("nurse", items(1), 5.0) == [0.25]
    assert scripted.count("/v1/score") == 3


def test_a_caller_that_paces_itself_learns_at_once_that_the_server_is_busy(
    server: tuple[Scripted, str], opened: Any
) -> None:
    scripted, url = server
    scripted.replies = {"/v1/completions": [status(429, retry_after="3")]}
    told = opened(HttpSummarizer, url, replace(FAST, retry_busy=False)).summarize_many(["a posting"], 5.0)
    assert isinstance(told[0], SummaryUnavailable)
    assert told[0].retry_after_s == 3.0
    assert scripted.count("/v1/completions") == 1


def test_a_paced_summarizer_gets_all_from_a_server_that_is_busy_for_a_while(
    server: tuple[Scripted, str], opened: Any
) -> None:
    scripted, url = server
    scripted.replies = {"/v1/completions": [status(429), status(503), status(429)]}
    pace = Pace(in_flight=2)
    inner = opened(HttpSummarizer, url, replace(FAST, retry_busy=False, concurrency=2))
    answers = PacedSummarizer(inner, pace).summarize_many([f"posting {n}" for n in range(12)], 30.0)
    assert all(isinstance(answer, Summary) for answer in answers)
    assert scripted.most_running <= 2
    assert pace.share < 1


def test_retry_after_is_waited_for(server: tuple[Scripted, str], opened: Any) -> None:
    scripted, url = server
    scripted.replies = {"/v1/score": [status(503, retry_after="1")]}
    begun = time.monotonic()
    assert opened(HttpRanker, url).score_many("nurse", items(1), 5.0) == [0.25]
    assert time.monotonic() - begun >= 1.0


def test_a_retry_after_beyond_the_deadline_is_handed_to_the_caller_at_once(
    server: tuple[Scripted, str], opened: Any
) -> None:
    scripted, url = server
    scripted.replies = {"/v1/score": [status(503, retry_after="60")]}
    begun = time.monotonic()
    with pytest.raises(ModelUnavailable) as refused:
        opened(HttpRanker, url).score_many("nurse", items(1), 5.0)
    assert refused.value.retry_after_s == 60
    assert time.monotonic() - begun < 5.0


def test_retries_end(server: tuple[Scripted, str], opened: Any) -> None:
    scripted, url = server
    scripted.hurt_by = lambda _: status(503)
    with pytest.raises(ModelUnavailable, match="answers 503: status 503"):
        opened(HttpRanker, url).score_many("nurse", items(1), 9.0)
    assert scripted.count("/v1/score") == FAST.attempts


@pytest.mark.parametrize("code", [401, 403, 404, 405])
def test_a_wrong_set_up_is_an_outage_that_is_not_retried(
    server: tuple[Scripted, str], opened: Any, code: int
) -> None:
    scripted, url = server
    scripted.hurt_by = lambda _: status(code)
    got = opened(HttpSummarizer, url).summarize_many(["text"], 5.0)
    assert isinstance(got[0], SummaryUnavailable)
    assert f"answers {code}" in got[0].reason
    assert scripted.count("/v1/completions") == 1


@pytest.mark.parametrize("name", ["Qwen3-0.6B", "default", "", "rankers@1"])
def test_a_served_name_that_is_not_ours_says_how_to_give_the_right_one(
    server: tuple[Scripted, str], opened: Any, name: str
) -> None:
    scripted, url = server
    scripted.replies = {"/v1/models": [{"data": [{"id": name}]}]}
    with pytest.raises(ModelUnavailable) as refused:
        opened(HttpRanker, url).score_many("nurse", items(1), 5.0)
    for part in (repr(name), "nearline.json", '"ranker@1"', "--served-model-name ranker@1"):
        assert part in str(refused.value)
    scripted.replies = {"/v1/score": [{"model": name}]}
    with pytest.raises(ModelUnavailable, match=r"nearline\.json"):
        opened(HttpRanker, url).score_many("nurse", items(1), 5.0)


def test_a_stalled_server_is_left_at_the_deadline_of_the_whole_batch(
    server: tuple[Scripted, str], opened: Any
) -> None:
    scripted, url = server
    scripted.hurt_by = lambda _: 30.0
    begun = time.monotonic()
    config = ClientConfig(concurrency=2, attempt_s=30.0)
    got = opened(HttpSummarizer, url, config).summarize_many([f"text {i}" for i in range(9)], 0.6)
    assert 0.5 < time.monotonic() - begun < 5.0
    assert [type(outcome) for outcome in got] == [SummaryUnavailable] * 9


def test_a_server_that_is_not_there_is_an_outage_and_comes_back_by_itself(opened: Any) -> None:
    port = free_port()
    summarizer = opened(HttpSummarizer, f"http://127.0.0.1:{port}")
    (failure,) = summarizer.summarize_many(["text"], 5.0)
    assert isinstance(failure, SummaryUnavailable)
    assert failure.retry_after_s > 0
    with running(Scripted().app(), port):
        assert isinstance(summarizer.summarize_many(["text"], 5.0)[0], Summary)


def test_a_server_that_never_speaks_is_left_at_the_deadline(opened: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(ModelUnavailable):
            opened(HttpRanker, url).score_many("nurse", items(2), 0.5)
        assert time.monotonic() - begun < 5.0


NONSENSE: dict[str, Reply] = {
    "no JSON": Response(b"<html>", media_type="application/json"),
    "no object": JSONResponse([1]),
    "no scores": {"scores": None},
    "wrong length": {"scores": [[0.5, 0.5]] * 2},
    "one label": {"scores": [[0.5]]},
    "NaN": Response(b'{"model":"ranker@4","scores":[[NaN,NaN]]}', media_type="application/json"),
    "text": {"scores": [["0.5", "0.5"]]},
    "over one": {"scores": [[1.5, -0.5]]},
    "500": status(500),
}


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_nonsense_once_is_asked_again_and_never_taken_for_a_score(
    server: tuple[Scripted, str], opened: Any, nonsense: str
) -> None:
    scripted, url = server
    scripted.replies = {"/v1/score": [NONSENSE[nonsense]]}
    assert opened(HttpRanker, url).score_many("nurse", items(1), 5.0) == [0.25]
    assert scripted.count("/v1/score") == 3  # the nonsense, the canary that judges it, the answer


@pytest.mark.parametrize(
    "changes",
    [{"choices": []}, {"choices": [{"text": None}]}, {"usage": {}}, {"usage": {"completion_tokens": -1}}],
)
def test_a_completion_without_its_parts_is_asked_again(
    server: tuple[Scripted, str], opened: Any, changes: dict[str, Any]
) -> None:
    scripted, url = server
    scripted.replies = {"/v1/completions": [changes]}
    assert isinstance(opened(HttpSummarizer, url).summarize_many(["text"], 5.0)[0], Summary)


def test_nonsense_to_everybody_is_an_outage(server: tuple[Scripted, str], opened: Any) -> None:
    scripted, url = server
    scripted.hurt_by = lambda _: {"scores": [[float("1e9"), 0.0]], "choices": []}
    with pytest.raises(ModelUnavailable, match="not this input alone"):
        opened(HttpRanker, url).score_many("nurse", items(1), 9.0)
    got = opened(HttpSummarizer, url).summarize_many(["one", "two"], 9.0)
    assert [type(outcome) for outcome in got] == [SummaryUnavailable, SummaryUnavailable]


@pytest.mark.parametrize("harm", [400, 413, 422, 500, "nonsense", "hang"])
def test_an_input_that_fails_three_times_beside_good_neighbours_is_poison(
    server: tuple[Scripted, str], opened: Any, harm: int | str
) -> None:
    scripted, url = server
    replies: dict[int | str, Reply] = {"nonsense": {"choices": []}, "hang": 4.0}
    reply = replies[harm] if isinstance(harm, str) else status(harm)
    scripted.hurt_by = lambda body: reply if is_poison(body) else None
    config = ClientConfig(backoff_s=0.01, backoff_max_s=0.05, attempt_s=0.8)
    got = opened(HttpSummarizer, url, config).summarize_many(["fine", POISON, "good"], 8.0)
    assert [type(outcome) for outcome in got] == [Summary, SummaryRejected, Summary]
    asked = [body for route, body, _ in scripted.seen if route == "/v1/completions" and is_poison(body)]
    assert len(asked) == 3


def test_poison_alone_in_its_batch_is_told_by_the_canary(server: tuple[Scripted, str], opened: Any) -> None:
    scripted, url = server
    scripted.hurt_by = lambda body: status(400) if is_poison(body) else None
    with pytest.raises(ModelRejected, match="failed 3 times while its neighbours succeeded: 400: status 400"):
        opened(HttpRanker, url).score_many("nurse", [item(POISON)], 5.0)


def test_nothing_is_poison_while_health_is_bad(server: tuple[Scripted, str], opened: Any) -> None:
    scripted, url = server
    scripted.healthy = False
    scripted.hurt_by = lambda body: status(500) if is_poison(body) else None
    got = opened(HttpSummarizer, url).summarize_many(["fine", POISON], 5.0)
    assert [type(outcome) for outcome in got] == [Summary, SummaryUnavailable]


def test_a_stall_in_mid_batch_makes_nothing_poison(server: tuple[Scripted, str], opened: Any) -> None:
    scripted, url = server
    scripted.hurt_by = lambda _: 0.05
    scripted.stall_s = (time.monotonic() + 0.3, time.monotonic() + 2.0)
    config = ClientConfig(concurrency=4, backoff_s=0.01, backoff_max_s=0.05, attempt_s=0.3, connect_s=0.2)
    got = opened(HttpSummarizer, url, config).summarize_many([f"text {i}" for i in range(40)], 5.0)
    kinds = [type(outcome) for outcome in got]
    assert len(kinds) == 40
    assert kinds.count(Summary) >= 4
    assert SummaryRejected not in kinds
    assert scripted.count("/health") > 0
