"""Settings of a model server."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated

from models.engine.batcher import BatchConfig
from models.engine.kernel_cache import KERNEL_CACHE
from models.engine.kernel_choice import AUTO
from models.engine.scheduling.choosing import PolicyName
from schemas.errors import ConfigError
from schemas.settings import Option, Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may ask for; more is answered 400, or 413 for the body. ConfigError for a limit of 0 or less."""

    body_bytes: Annotated[
        int, Option("Bytes of a request's body; more is answered 413.", "--max-body-bytes")
    ] = 2 * 2**20
    """Nothing else runs while a body is parsed: about 30 ms for this much JSON."""
    items: Annotated[int, Option("Items or prompts of a request.", "--max-items")] = 2_048
    request_tokens: Annotated[
        int, Option("Tokens of a request, the query counted once.", "--max-request-tokens")
    ] = 524_288
    labels: Annotated[int, Option("Labels of one item.", "--max-labels")] = 64
    deadline_s: Annotated[
        float, Option("Seconds that a request may take, whatever its x-deadline-ms says.", "--max-deadline-s")
    ] = 60.0
    bodies_bytes: Annotated[
        int,
        Option(
            "Bytes of the bodies of all requests that are read or checked at once; more are answered 503.",
            "--max-bodies-bytes",
        ),
    ] = 64 * 2**20

    def __post_init__(self) -> None:
        for one in fields(self):
            if not getattr(self, one.name) > 0:
                raise ConfigError(f"{one.name} is {getattr(self, one.name)}: give more than 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeConfig:
    """Models and address of one server; at least one of `ranker`, `summarizer`, `embedder` and `instant` is given."""

    ranker: Annotated[Path | None, Option("Checkpoint directory behind /v1/score.")] = None
    summarizer: Annotated[Path | None, Option("Checkpoint directory behind /v1/completions.")] = None
    embedder: Annotated[Path | None, Option("Checkpoint directory behind /v1/embeddings.")] = None
    instant: Annotated[
        bool, Option("Stand-ins without a model where no directory is given; no torch is loaded.")
    ] = False
    tokenizer: Annotated[
        Path | None,
        Option("Tokenizer directory of the stand-ins; without one their tokens are bytes of UTF-8."),
    ] = None
    host: Annotated[str, Option("Address to listen on; anyone who reaches it may ask: in a pod 0.0.0.0.")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Option("Port to listen on.")] = 8900
    threads: Annotated[int, Option("Processor threads of a model; 0: one a core.")] = 0
    dtype: Annotated[str, Option("auto, float32, bfloat16 or int8 (CPU).")] = "auto"
    device: Annotated[str, Option("auto, cpu or cuda.")] = "auto"
    drain_s: Annotated[int, Option("How long requests that have begun may take after SIGTERM.")] = 30
    limits: Annotated[Limits, Options("Limits of requests")] = field(default_factory=Limits)
    ranker_batching: Annotated[BatchConfig, Options()] = field(
        default_factory=lambda: BatchConfig(batch_tokens=8_192, policy=PolicyName.DENSITY)
    )
    """Small batches: on a CPU larger ones are no faster, and each request waits for the whole of its batch."""
    kernel_cache: Path = KERNEL_CACHE
    """Folder of the compiled C++ kernels."""
    kernels: str = AUTO
    """Which of them compute."""
    summarizer_batching: BatchConfig = field(
        default_factory=lambda: BatchConfig(batch_jobs=32, linger_s=0.01)
    )
    embedder_batching: BatchConfig = field(
        default_factory=lambda: BatchConfig(batch_tokens=16_384, batch_jobs=256)
    )
