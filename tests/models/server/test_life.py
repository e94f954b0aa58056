import json
import math
import signal
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from models.client.http import ClientConfig
from models.client.remote import HttpRanker, HttpSummarizer
from models.engine.base import Generated, GenerateJob, ScoreJob
from models.engine.batcher import BatchConfig
from models.engine.instant import InstantEngine
from models.prompts import Prompter
from models.server import Limits, ServeConfig, serve
from models.server.app import create_app
from models.server.run import load
from models.summarizer import Summary
from schemas.errors import ConfigError
from tests.models.running import COMPLETION, SCORE, command, eventually, post, process, running, serving
from tests.models.scripted import item
from tests.support.tiny import byte_level_tokenizer, write_checkpoint


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
        if any(job.labels[0][0] == 66 for job in jobs):
            raise ArithmeticError("label 66")
        return [[[math.nan]] if job.labels[0][0] == 77 else [[0.5, 0.5]] for job in jobs]

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
        both = 'nearline_model_pending_tokens{task="score"} 16.0'
        eventually(lambda: both in httpx.get(f"{url}/metrics").text, wanted=True)
        refused = post(url, "score", SCORE)
        assert (refused.status_code, refused.json()["message"]) == (503, "the model's queue is full")
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


@pytest.mark.parametrize("label", [66, 77])
def test_a_request_that_the_model_fails_on_is_answered_500_and_the_server_lives(label: int) -> None:
    engine = Stalling()
    engine.go.set()
    with serving(engine) as url:
        answer = post(url, "score", SCORE | {"label_token_ids": [label, 2]})
        assert (answer.status_code, answer.json()["type"]) == (500, "InternalServerError")
        assert post(url, "score", SCORE).status_code == 200
        assert httpx.get(f"{url}/health").status_code == 200


def test_a_server_with_nothing_to_serve_says_what_to_give() -> None:
    with pytest.raises(ConfigError, match="give a ranker's, a summarizer's or an embedder's directory"):
        serve(ServeConfig())


@pytest.mark.timeout(120)
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


@pytest.mark.timeout(120)
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
    assert refused.returncode == 2
    assert complaint.startswith(b"error: no readable config.json in")


@pytest.mark.timeout(60)
def test_a_checkpoint_without_a_card_is_served_under_a_name_that_clients_take(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "Qwen3-tiny", byte_level_tokenizer(), max_position_embeddings=2048)
    (path / "nearline.json").unlink()
    served = load(ServeConfig(ranker=path, summarizer=path, device="cpu", threads=1))
    with running(create_app(served, Limits())) as url:
        ranker, summarizer = HttpRanker(url, *asked(path)), HttpSummarizer(url, *asked(path))
        (score,) = ranker.score_many("nurse", [item("ward")], 9.0)
        (summary,) = summarizer.summarize_many(["Title: Nurse\nText: ward"], 9.0)
        ranker.close()
        summarizer.close()
    served.close()
    assert (ranker.model, 0 <= score <= 1) == ("ranker@Qwen3-tiny", True)
    assert isinstance(summary, Summary)
    assert summary.model == "summarizer@Qwen3-tiny"


def asked(path: Path) -> tuple[Prompter, ClientConfig]:
    return Prompter.from_dir(path), ClientConfig()


@pytest.mark.parametrize("option", ["--max-items", "--max-body-bytes", "--max-deadline-s", "--batch-tokens"])
def test_a_limit_that_allows_nothing_ends_the_command_with_its_name(option: str) -> None:
    refused = command("--instant", option, "0")
    _, complaint = refused.communicate(timeout=30)
    assert refused.returncode == 2
    assert option.removeprefix("--max-").removeprefix("--").replace("-", "_") in complaint.decode()


@pytest.mark.timeout(120)
def test_limits_of_the_command_line_hold() -> None:
    with process("--instant", "--max-items", "1", "--max-body-bytes", "300") as (_, url):
        assert "at most 1 are allowed" in post(url, "score", SCORE).json()["message"]
        assert post(url, "score", b" " * 301).status_code == 413
