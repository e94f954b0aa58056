"""Run a server: load and warm up the models, listen, finish the requests begun at SIGTERM."""

from __future__ import annotations

import contextlib
import gc
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from models.embedder import HashingEmbedder
from models.engine.instant import InstantEngine
from models.server.app import create_app
from models.server.config import ServeConfig
from models.server.embeddings import CountingEmbedder, EmbeddingEngine
from models.server.service import ServedModels, host_embedder, host_ranker, host_summarizer
from schemas.errors import ConfigError

if TYPE_CHECKING:
    from models.engine.base import Engine
    from models.engine.checkpoint_engine import EngineConfig


def run(config: ServeConfig) -> None:
    """Load the models, then answer requests until SIGTERM; what is under way is given `drain_s` to end."""
    served = load(config)
    settings = uvicorn.Config(
        create_app(served, config.limits),
        host=config.host,
        port=config.port,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=config.drain_s,
        timeout_keep_alive=75,
        lifespan="on",
    )
    # everything loaded so far stays: frozen, it is not scanned again, which keeps collections short
    gc.collect()
    gc.freeze()
    with _ignoring_second_signal():
        uvicorn.Server(settings).run()
    served.close()


def load(config: ServeConfig) -> ServedModels:
    """Load the models; raises ConfigError for a directory that cannot be served, or if there is nothing to serve."""
    ranker = _engine(config.ranker, "ranker", config)
    summarizer = _engine(config.summarizer, "summarizer", config)
    embedder = _embedder(config.embedder, config)
    if not ranker and not summarizer and not embedder:
        raise ConfigError(
            "nothing to serve: give a ranker's, a summarizer's or an embedder's directory, or ask for instant"
        )
    return ServedModels(
        ranker=host_ranker(ranker, config.ranker_batching) if ranker else None,
        summarizer=host_summarizer(summarizer, config.summarizer_batching) if summarizer else None,
        embedder=host_embedder(EmbeddingEngine(embedder), config.embedder_batching) if embedder else None,
    )


def _engine(path: Path | None, role: str, config: ServeConfig) -> Engine | None:
    if path is None:
        return InstantEngine(f"{role}@0", config.tokenizer) if config.instant else None
    with _torch_needed():
        from models.server.opening import open_engine

        return open_engine(path, _engine_config(role, config))


def _embedder(path: Path | None, config: ServeConfig) -> CountingEmbedder | None:
    if path is None:
        return HashingEmbedder() if config.instant else None
    with _torch_needed():
        from models.server.opening import open_embedder

        return open_embedder(path, _engine_config("embedder", config))


@contextlib.contextmanager
def _torch_needed() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ConfigError(
            "serving a checkpoint needs torch: pip install 'nearline-job-search[models]'"
        ) from error


def _engine_config(role: str, config: ServeConfig) -> EngineConfig:
    from models.engine.checkpoint_engine import EngineConfig

    return EngineConfig(
        dtype=config.dtype,
        device=config.device,
        threads=config.threads,
        role=role,
        kernel_cache=config.kernel_cache,
        kernels=config.kernels,
    )


@contextlib.contextmanager
def _ignoring_second_signal() -> Iterator[None]:
    """Ignore the signal that uvicorn raises again after its graceful shutdown, so that the exit status is 0."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {name: signal.signal(name, lambda *_: None) for name in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
