"""Settings of a model server."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

from models.engine.batcher import BatchConfig
from schemas.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may ask for; more is answered 400, or 413 for the body. ConfigError for a limit of 0 or less."""

    body_bytes: int = 2 * 2**20
    """Nothing else runs while a body is parsed: about 30 ms for this much JSON."""
    items: int = 2_048
    request_tokens: int = 524_288
    labels: int = 64
    """Labels of one item."""
    deadline_s: float = 60.0
    bodies_bytes: int = 64 * 2**20
    """Bytes of all bodies that are being read or checked at once; more is answered 503."""

    def __post_init__(self) -> None:
        for one in fields(self):
            if not getattr(self, one.name) > 0:
                raise ConfigError(f"{one.name} is {getattr(self, one.name)}: give more than 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeConfig:
    """Models and address of one server; at least one of `ranker`, `summarizer` and `instant` must be given."""

    ranker: Path | None = None
    summarizer: Path | None = None
    instant: bool = False
    """Serve a stand-in for each role without a directory; torch is not loaded for it."""
    tokenizer: Path | None = None
    """Tokenizer directory of the stand-ins; without one their tokens are bytes of UTF-8."""
    host: str = "127.0.0.1"
    port: int = 8900
    threads: int = 0
    dtype: str = "auto"
    device: str = "auto"
    drain_s: int = 30
    """How long requests that have begun may take after SIGTERM."""
    limits: Limits = field(default_factory=Limits)
    ranker_batching: BatchConfig = field(default_factory=lambda: BatchConfig(batch_tokens=8_192))
    """Small batches: on a CPU larger ones are no faster, and each request waits for the whole of its batch."""
    summarizer_batching: BatchConfig = field(
        default_factory=lambda: BatchConfig(batch_jobs=32, linger_s=0.01)
    )
