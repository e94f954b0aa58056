import asyncio
import contextlib
import json
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch

from models.engine.base import Engine, Generated, GenerateJob, ScoreJob
from models.engine.batcher import BatchConfig
from models.engine.instant import InstantEngine
from models.engine.qwen3_engine import EngineConfig, Qwen3Engine
from models.server import Limits, ServeConfig, serve
from schemas.errors import ConfigError
from tests.models.running import free_port, serving
from tests.models.tiny import byte_level_tokenizer, word_piece_tokenizer, write_checkpoint, write_tokenizer

LIMITS = Limits(body_bytes=200_000, items=400, request_tokens=20_000)
SCORE: dict[str, Any] = {
    "query": [5, 6, 7],
    "items": [[8, 9], [10, 11, 12]],
    "label_token_ids": [40, 41],
    "apply_softmax": True,
}
COMPLETION: dict[str, Any] = {"prompt": [5, 6, 7], "max_tokens": 6}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("served"), byte_level_tokenizer())


@pytest.fixture(scope="module")
def engine(checkpoint: Path) -> Engine:
    return Qwen3Engine(checkpoint, EngineConfig(dtype="float32", device="cpu", threads=1))


@pytest.fixture(scope="module")
def url(engine: Engine) -> Iterator[str]:
    with serving(engine, LIMITS) as url:
        yield url


def post(url: str, route: str, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(f"{url}/v1/{route}", content=content, headers=headers, timeout=9)


@pytest.mark.timeout(60)
def test_scores_of_ids_are_those_of_the_engine(url: str, engine: Engine) -> None:
    answer = post(url, "score", SCORE | {"temperature": 2.0}).json()
    job = ScoreJob(
        prefix=[5, 6, 7],
        items=[[8, 9], [10, 11, 12]],
        label_ids=[40, 41],
        softmax_over_labels=True,
        temperature=2.0,
    )
    torch.testing.assert_close(
        torch.tensor(answer["scores"]), torch.tensor(engine.score_many([job])[0]), atol=1e-6, rtol=0
    )
    assert answer["model"] == "tiny@1"
    assert answer["object"] == "scoring"
    assert answer["usage"] == {"prompt_tokens": 11, "completion_tokens": 0, "total_tokens": 11}


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
    none = post(url, "score", SCORE | {"items": []})
    assert (none.status_code, none.json()["scores"]) == (200, [])


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
    assert 'nearline_model_pending_tokens{model="tiny@1"} 0.0' in page


def test_another_generation_of_the_model_is_answered_with_the_true_name(url: str) -> None:
    for asked in ("tiny", "tiny@7", "default"):
        assert post(url, "score", SCORE | {"model": asked}).json()["model"] == "tiny@1"


BAD_SCORES: dict[str, tuple[Any, str]] = {
    "no JSON": (b"query", "JSON"),
    "cut JSON": (b'{"query": [1', "JSON"),
    "deep JSON": (b"[" * 100_000, "JSON"),
    "not UTF-8": (b'{"query": "\xff"}', "JSON|unicode|UTF"),
    "no object": ([1], "object|dict"),
    "nothing": ({}, "query"),
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
    "streamed": (COMPLETION | {"stream": True}, "stream is not served"),
    "several answers": (COMPLETION | {"n": 2}, "n:"),
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
    assert (error["object"], error["type"], error["code"]) == ("error", "BadRequestError", 400)
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


class Stalling(InstantEngine):
    """Answers once it is let go; fails on label 66 and speaks nonsense on label 77."""

    def __init__(self) -> None:
        super().__init__("stalling@3")
        self.entered, self.go = threading.Event(), threading.Event()
        self.jobs = 0

    def score_many(self, jobs: Sequence[ScoreJob]) -> list[list[list[float]]]:
        self.entered.set()
        self.go.wait(8)
        self.jobs += len(jobs)
        if any(job.label_ids[0] == 66 for job in jobs):
            raise ArithmeticError("label 66")
        return [[[math.nan]] if job.label_ids[0] == 77 else [[0.5, 0.5]] for job in jobs]

    def generate_many(self, jobs: Sequence[GenerateJob]) -> list[Generated]:
        self.entered.set()
        self.go.wait(8)
        return super().generate_many(jobs)


def test_a_deadline_that_passes_is_answered_503_and_says_when_to_come_back() -> None:
    engine = Stalling()
    with serving(engine) as url:
        answer = post(url, "score", SCORE, **{"x-deadline-ms": "60"})
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["type"] == "ServiceUnavailableError"
        engine.go.set()
        assert post(url, "score", SCORE).status_code == 200


def test_a_full_queue_is_answered_503_while_health_stays_good() -> None:
    engine = Stalling()
    with serving(engine, batching=BatchConfig(queue_jobs=1)) as url:
        waiting = [threading.Thread(target=post, args=(url, "score", SCORE)) for _ in range(2)]
        waiting[0].start()
        assert engine.entered.wait(5)
        waiting[1].start()
        refused = eventually(lambda: post(url, "score", SCORE, **{"x-deadline-ms": "50"}), 503)
        assert "queue is full" in refused.json()["message"] or "deadline" in refused.json()["message"]
        assert httpx.get(f"{url}/health").status_code == 200
        engine.go.set()
        for thread in waiting:
            thread.join()


def test_a_request_with_a_prompt_too_many_for_the_queue_leaves_nothing_queued() -> None:
    engine = Stalling()
    with serving(engine, batching=BatchConfig(queue_jobs=2)) as url:
        refused = post(url, "completions", {"prompt": ["a", "b", "c", "d", "e"]})
        assert refused.status_code == 503
        engine.go.set()
        assert post(url, "completions", {"prompt": ["a"]}).status_code == 200


def test_a_caller_that_hangs_up_is_not_computed_for() -> None:
    engine = Stalling()
    with serving(engine) as url:
        first = threading.Thread(target=post, args=(url, "score", SCORE))
        first.start()
        assert engine.entered.wait(5)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{url}/v1/score", json=SCORE, timeout=httpx.Timeout(5, read=0.1))
        hung_up = 'nearline_model_requests_total{route="/v1/score",status="499"} 1.0'
        eventually(lambda: hung_up in httpx.get(f"{url}/metrics").text, wanted=True)
        engine.go.set()
        first.join()
        assert post(url, "score", SCORE).status_code == 200
        assert engine.jobs == 2


def test_a_caller_that_hangs_up_amid_its_body_hurts_nobody(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{")
    assert post(url, "score", SCORE).status_code == 200


@pytest.mark.parametrize("label", [66, 77])
def test_a_request_that_the_model_fails_on_is_answered_500_and_the_server_lives(label: int) -> None:
    engine = Stalling()
    engine.go.set()
    with serving(engine) as url:
        answer = post(url, "score", SCORE | {"label_token_ids": [label, 2]})
        assert (answer.status_code, answer.json()["type"]) == (500, "InternalServerError")
        assert post(url, "score", SCORE).status_code == 200
        assert httpx.get(f"{url}/health").status_code == 200


def test_the_instant_engine_continues_ids_with_the_first_words_of_the_text(tmp_path: Path) -> None:
    from models.prompts import Prompter, load_tokenizer, summarizer_input

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


def test_a_server_with_nothing_to_serve_says_what_to_give() -> None:
    with pytest.raises(ConfigError, match="give a ranker or a summarizer directory"):
        serve(ServeConfig())


def test_a_route_without_its_model_names_the_option_that_is_missing() -> None:
    from models.server.app import create_app
    from tests.models.running import running

    with running(create_app(None, None, LIMITS)) as url:
        answer = post(url, "completions", COMPLETION)
    assert answer.status_code == 404
    assert "--summarizer DIR" in answer.json()["message"]


@pytest.mark.timeout(60)
def test_sigterm_lets_a_request_in_hand_finish_and_ends_with_status_zero() -> None:
    with process("--instant") as (server, url):
        body = json.dumps(COMPLETION).encode()
        with socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1]))) as raw:
            head = f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            raw.sendall(head.encode() + body[:5])
            time.sleep(0.3)
            server.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            with pytest.raises(httpx.ConnectError):
                httpx.get(f"{url}/health")
            raw.sendall(body[5:])
            raw.settimeout(10)
            assert raw.recv(1000).startswith(b"HTTP/1.1 200 OK")
        assert server.wait(20) == 0


@pytest.mark.timeout(60)
def test_a_checkpoint_is_served_by_the_command_and_a_wrong_one_is_refused(
    checkpoint: Path, tmp_path: Path
) -> None:
    with process("--ranker", str(checkpoint), "--threads", "1", "--device", "cpu") as (server, url):
        assert post(url, "score", SCORE).json()["model"] == "tiny@1"
        assert post(url, "completions", COMPLETION).status_code == 404
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
    refused = command("--ranker", str(tmp_path))
    _, complaint = refused.communicate(timeout=30)
    assert refused.returncode == 1
    assert complaint.startswith(b"error: no readable config.json in")


class process:  # noqa: N801  (reads as what it starts)
    def __init__(self, *arguments: str) -> None:
        self._port = free_port()
        self._process = command(*arguments, "--port", str(self._port))

    def __enter__(self) -> tuple[subprocess.Popen[bytes], str]:
        url = f"http://127.0.0.1:{self._port}"
        eventually(lambda: reachable(url), wanted=True, within_s=40)
        return self._process, url

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def command(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "models.server", *arguments],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
        stderr=subprocess.PIPE,
    )


def reachable(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False


def eventually(probe: Any, wanted: Any, within_s: float = 8) -> Any:
    """What `probe` gives once it is, or has the status, that is wanted."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        got = probe()
        if getattr(got, "status_code", got) == wanted:
            return got
        time.sleep(0.02)
    pytest.fail(f"never {wanted!r}")


def assert_scores_equal(one: httpx.Response, other: httpx.Response) -> None:
    torch.testing.assert_close(
        torch.tensor(one.json()["scores"]), torch.tensor(other.json()["scores"]), atol=1e-6, rtol=0
    )


def assert_matches(pattern: str, text: str) -> None:
    import re

    assert re.search(pattern, text), text
