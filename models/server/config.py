"""What a model server is told at its start."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

from models.engine.batcher import BatchConfig
from schemas.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may ask for: more is answered 400, 413 for the body. Raises ConfigError for a limit that allows nothing."""

    body_bytes: int = 2 * 2**20
    """While this much JSON is parsed nothing else runs: about 30 ms."""
    items: int = 2_048
    request_tokens: int = 524_288
    labels: int = 64
    """Of one item."""
    deadline_s: float = 60.0
    bodies_bytes: int = 64 * 2**20
    """Bodies of all requests that are being read or checked; more of them are answered 503."""

    def __post_init__(self) -> None:
        for one in fields(self):
            if not getattr(self, one.name) > 0:
                raise ConfigError(f"{one.name} is {getattr(self, one.name)}: give more than 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeConfig:
    """Models and address of one server; at least one of ranker, summarizer and instant must be given."""

    ranker: Path | None = None
    summarizer: Path | None = None
    instant: bool = False
    """Serve stand-ins without a model where no directory is given; no torch is loaded."""
    tokenizer: Path | None = None
    """Tokenizer directory of the stand-ins; without one their vocabulary is bytes."""
    host: str = "127.0.0.1"
    port: int = 8900
    threads: int = 0
    dtype: str = "auto"
    device: str = "auto"
    drain_s: int = 30
    """How long requests in hand may take after SIGTERM."""
    limits: Limits = field(default_factory=Limits)
    ranker_batching: BatchConfig = field(default_factory=lambda: BatchConfig(batch_tokens=8_192))
    """Small batches: on a CPU larger ones are no faster, and every request waits for its whole batch."""
    summarizer_batching: BatchConfig = field(
        default_factory=lambda: BatchConfig(batch_jobs=32, linger_s=0.01)
    )
