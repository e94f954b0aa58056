"""Servers that a test starts, asks and ends."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from models.engine.base import Engine
from models.engine.batcher import BatchConfig
from models.server import Limits
from models.server.app import create_app
from models.server.service import ServedModels, host_ranker, host_summarizer
from nearline.stack.tools import free_port

LIMITS = Limits(body_bytes=200_000, items=400, request_tokens=20_000)
SCORE: dict[str, Any] = {
    "query": [5, 6, 7],
    "items": [[8, 9], [10, 11, 12]],
    "label_token_ids": [40, 41],
    "apply_softmax": True,
}
COMPLETION: dict[str, Any] = {"prompt": [5, 6, 7], "max_tokens": 6}


@contextlib.contextmanager
def running(app: Any, port: int = 0, **tls: str) -> Iterator[str]:
    """The address of an ASGI application that listens in a thread of its own."""
    port = port or free_port()
    settings: dict[str, Any] = {"log_level": "critical", "lifespan": "off", "timeout_graceful_shutdown": 1}
    server = uvicorn.Server(uvicorn.Config(app, port=port, **settings, **tls))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.005)
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@contextlib.contextmanager
def serving(
    engine: Engine, limits: Limits | None = None, batching: BatchConfig | None = None
) -> Iterator[str]:
    """The address of a server that uses one engine for both routes."""
    batching = batching or BatchConfig()
    ranker, summarizer = host_ranker(engine, batching), host_summarizer(engine, batching)
    try:
        with running(create_app(ServedModels(ranker, summarizer), limits or Limits())) as url:
            yield url
    finally:
        ranker.batcher.close()
        summarizer.batcher.close()


def post(url: str, route: str, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(f"{url}/v1/{route}", content=content, headers=headers, timeout=9)


def eventually(probe: Any, wanted: Any, within_s: float = 8) -> Any:
    """What `probe` gives once it is, or has the status, that is wanted."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        got = probe()
        if getattr(got, "status_code", got) == wanted:
            return got
        time.sleep(0.02)
    pytest.fail(f"never {wanted!r}")


class process:  # noqa: N801  (reads as what it starts)
    def __init__(self, *arguments: str) -> None:
        self._port = free_port()
        self._process = command(*arguments, "--port", str(self._port))

    def __enter__(self) -> tuple[subprocess.Popen[bytes], str]:
        url = f"http://127.0.0.1:{self._port}"
        eventually(lambda: reachable(url), wanted=True, within_s=90)
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
