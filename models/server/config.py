"""What a model server is told at its start."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from models.engine.batcher import BatchConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may ask for; more is answered 400 (413 for the body)."""

    body_bytes: int = 16 * 2**20
    items: int = 2_048
    request_tokens: int = 1_000_000
    labels: int = 64
    default_deadline_s: float = 60.0


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
