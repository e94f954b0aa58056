"""The engine that a checkpoint directory needs: phrases where its card says so, else scores or a decode loop.

An embedder's directory becomes an embedder.
"""

from __future__ import annotations

from pathlib import Path

from models.card import is_extractive
from models.embedding.embedder import CheckpointEmbedder
from models.engine.base import Engine
from models.engine.checkpoint_engine import CheckpointEngine, EngineConfig
from models.extractive.engine import ExtractiveEngine
from models.server.embeddings import CountingEmbedder


def open_engine(path: Path, config: EngineConfig) -> Engine:
    """Load the directory for `config.role`; ConfigError for one that cannot be served."""
    if config.role == "summarizer" and is_extractive(path):
        return ExtractiveEngine(path, config)
    return CheckpointEngine(path, config)


def open_embedder(path: Path, config: EngineConfig) -> CountingEmbedder:
    """Load an embedder's directory; ConfigError for one that cannot be served."""
    return CheckpointEmbedder(path, config)
