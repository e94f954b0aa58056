"""A Qwen3 checkpoint directory as an `Engine`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from models.engine import generating, scoring
from models.engine.base import Generated, GenerateJob, ModelInfo, ScoreJob
from models.engine.checkpoint import load_checkpoint
from models.engine.qwen3 import Qwen3
from models.prompts import load_tokenizer
from schemas.errors import ConfigError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """How a checkpoint is computed; `auto` is bfloat16 on a GPU and float32 on a CPU."""

    dtype: str = "auto"
    device: str = "auto"
    threads: int = 0
    """Threads of one forward pass; 0 leaves the default, one a core."""
    role: str = "model"
    """What the clients of this model call it; names a directory that has no card of its own."""


class Qwen3Engine:
    """See `Engine`; loading checks the directory and runs the model once."""

    def __init__(self, path: Path, config: EngineConfig) -> None:
        """Raise ConfigError for an incomplete or foreign checkpoint, or an unknown dtype or device."""
        device, dtype = _placement(config)
        if config.threads:
            torch.set_num_threads(config.threads)
        checkpoint = load_checkpoint(path, config.role)
        self._tokenizer = load_tokenizer(path)
        self._eos_ids = checkpoint.eos_ids
        self._model = Qwen3(checkpoint, dtype=dtype, device=device)
        shape = checkpoint.shape
        self.info = ModelInfo(name=checkpoint.name, vocab_size=shape.vocab, context_tokens=shape.context)
        self._warm_up()

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """See `Engine`."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]

    def score_many(self, jobs: Sequence[ScoreJob]) -> list[list[list[float]]]:
        """See `Engine`."""
        return scoring.score_many(self._model, jobs)

    def generate_many(self, jobs: Sequence[GenerateJob]) -> list[Generated]:
        """See `Engine`."""

        def stopped(row: int, tokens: list[int]) -> bool:
            return any(stop in self._decode(tokens) for stop in jobs[row].stop)

        rows = generating.generate_many(self._model, jobs, self._eos_ids, stopped)
        return [self._generated(job, *row) for job, row in zip(jobs, rows, strict=True)]

    def _generated(self, job: GenerateJob, tokens: list[int], reason: str) -> Generated:
        text = self._decode(tokens)
        ends = [text.find(stop) for stop in job.stop if stop in text]
        return Generated(text=text[: min(ends, default=None)], tokens=len(tokens), finish_reason=reason)

    def _decode(self, tokens: list[int]) -> str:
        return str(self._tokenizer.decode(tokens))

    def _warm_up(self) -> None:
        job = ScoreJob(
            prefix=[0], items=[[0] * 8] * 2, labels=[[0, 1]] * 2, softmax_over_labels=True, temperature=1.0
        )
        self.score_many([job, job])


def _placement(config: EngineConfig) -> tuple[torch.device, torch.dtype]:
    cuda = torch.cuda.is_available()
    name = ("cuda" if cuda else "cpu") if config.device == "auto" else config.device
    if name.startswith("cuda") and not cuda:
        msg = f"device {name!r} asked for, but torch sees no GPU: use --device cpu"
        raise ConfigError(msg)
    dtype = ("bfloat16" if name.startswith("cuda") else "float32") if config.dtype == "auto" else config.dtype
    if dtype not in DTYPES:
        msg = f"dtype {dtype!r} is unknown: use one of auto, {', '.join(DTYPES)}"
        raise ConfigError(msg)
    return torch.device(name), DTYPES[dtype]
