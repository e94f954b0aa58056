"""Servers that a test starts and ends."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import uvicorn

from models.engine.base import Engine
from models.engine.batcher import BatchConfig
from models.server.app import create_app
from models.server.config import Limits
from models.server.service import host_ranker, host_summarizer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(app: Any, port: int = 0) -> Iterator[str]:
    """The address of an ASGI application that listens in a thread of its own."""
    port = port or free_port()
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.005)
        yield f"http://127.0.0.1:{port}"
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
        with running(create_app(ranker, summarizer, limits or Limits())) as url:
            yield url
    finally:
        ranker.batcher.close()
        summarizer.batcher.close()
