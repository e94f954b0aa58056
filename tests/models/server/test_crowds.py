"""Many and large requests at once: none is lost, none holds up the others, memory stays bounded."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from models.engine.base import ScoreJob
from models.engine.batcher import BatchConfig
from models.engine.instant import InstantEngine
from models.server import Limits
from tests.models.running import SCORE, eventually, post, serving


class Unhurried(InstantEngine):
    """Takes a moment for each batch and remembers the order in which jobs were computed."""

    def __init__(self, pause_s: float = 0.0) -> None:
        super().__init__("ranker@1")
        self.pause_s, self.order = pause_s, list[int]()
        self.go = threading.Event()
        self.go.set()

    def score_many(self, jobs: Sequence[ScoreJob]) -> list[list[list[float]]]:
        self.go.wait(8)
        time.sleep(self.pause_s)
        self.order += [job.prefix[0] for job in jobs]
        return super().score_many(jobs)


@pytest.mark.timeout(120)
def test_500_clients_at_once_are_each_answered_200_or_503_with_a_time_to_come_back() -> None:
    limits, engine = BatchConfig(batch_tokens=64, queue_jobs=200), Unhurried(0.002)
    engine.go.clear()
    with serving(engine, batching=limits) as url, ThreadPoolExecutor(1) as background:
        crowd = background.submit(asyncio.run, _crowd(url, 500))
        eventually(lambda: 'reason="queue full"' in httpx.get(f"{url}/metrics").text, wanted=True)
        engine.go.set()
        answers = crowd.result()
        assert post(url, "score", SCORE).status_code == 200
    assert len(answers) == 500
    served = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 503]
    assert len(served) + len(refused) == 500
    assert len(served) >= 200
    assert refused
    assert all(len(answer.json()["scores"]) == 2 for answer in served)
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)


async def _crowd(url: str, clients: int) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        return await asyncio.gather(
            *(client.post(f"{url}/v1/score", json=SCORE | {"query": [1 + n % 200]}) for n in range(clients))
        )


def test_waiting_tokens_over_the_queues_bound_are_refused_and_counted() -> None:
    engine = Unhurried()
    engine.go.clear()
    with serving(engine, batching=BatchConfig(queue_tokens=100)) as url:
        large = SCORE | {"items": [[9] * 87]}
        first = threading.Thread(target=post, args=(url, "score", large))
        first.start()
        pending = 'nearline_model_pending_tokens{task="score"} 90.0'
        eventually(lambda: pending in httpx.get(f"{url}/metrics").text, wanted=True)
        assert post(url, "score", large).json()["message"] == "the model's queue is full"
        counted = 'nearline_model_refusals_total{reason="queue full",route="/v1/score"} 1.0'
        assert counted in httpx.get(f"{url}/metrics").text
        engine.go.set()
        first.join()


def test_a_long_request_gives_way_to_short_ones_that_come_after_it() -> None:
    engine = Unhurried()
    engine.go.clear()
    with serving(engine, batching=BatchConfig(batch_tokens=64)) as url:
        long = SCORE | {"query": [1], "items": [[10 + n] + [9] * 14 for n in range(40)]}
        callers = [_asking(url, long)]
        eventually(lambda: _pending(url), wanted=640.0)
        callers += [_asking(url, SCORE | {"query": [query]}) for query in (2, 3)]
        eventually(lambda: _pending(url), wanted=652.0)
        engine.go.set()
        for caller in callers:
            caller.join()
    assert engine.order.count(1) == 40
    assert max(engine.order.index(2), engine.order.index(3)) < 9


def test_what_a_caller_that_hangs_up_still_had_in_the_queue_is_not_computed() -> None:
    engine = Unhurried()
    engine.go.clear()
    with serving(engine, batching=BatchConfig(batch_tokens=64)) as url:
        long = SCORE | {"query": [1], "items": [[10 + n] + [9] * 14 for n in range(40)]}
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{url}/v1/score", json=long, timeout=httpx.Timeout(5, read=0.3))
        hung_up = 'nearline_model_refusals_total{reason="hung up",route="/v1/score"} 1.0'
        eventually(lambda: hung_up in httpx.get(f"{url}/metrics").text, wanted=True)
        engine.go.set()
        assert post(url, "score", SCORE).status_code == 200
    assert engine.order.count(1) <= 4


def test_a_large_body_is_refused_by_its_declared_length_before_it_comes() -> None:
    with serving(InstantEngine("ranker@1")) as url, _raw(url, 50_000_000, b"") as raw:
        assert raw.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_bodies_over_what_the_server_holds_at_once_are_refused_and_then_served_again() -> None:
    with serving(InstantEngine("ranker@1"), Limits(bodies_bytes=4_000)) as url:
        with _raw(url, 9_000, b" " * 3_900):
            eventually(lambda: post(url, "score", SCORE).status_code, wanted=503)
            assert post(url, "score", SCORE).json()["message"] == "too many large requests at once"
        eventually(lambda: post(url, "score", SCORE).status_code, wanted=200)


@contextlib.contextmanager
def _raw(url: str, declared: int, sent: bytes) -> Iterator[socket.socket]:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=8) as raw:
        raw.sendall(
            f"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: {declared}\r\n\r\n".encode() + sent
        )
        yield raw


def _asking(url: str, body: dict[str, Any]) -> threading.Thread:
    caller = threading.Thread(target=post, args=(url, "score", body))
    caller.start()
    return caller


def _pending(url: str) -> float:
    page = httpx.get(f"{url}/metrics").text
    return float(page.split('nearline_model_pending_tokens{task="score"} ')[1].split("\n")[0])
