"""An engine without a model that answers at once from the ids alone, for tests and benchmarks of what is around it.

A score is the share of the prefix's distinct ids that the item has. A continuation repeats the first words of the
prompt's text part. Without a tokenizer directory the vocabulary is the 256 bytes of UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from typing_extensions import override

from models.engine.base import Engine, Generated, GenerateJob, ModelInfo, ScoreJob
from models.engine.stops import settled
from models.prompts import BUDGET_TOKENS, load_tokenizer
from models.ranker import overlap
from models.summarizer import first_words

_MARKED = re.compile(r".*?\btext ?: (.*?)(?:summary ?:)?", re.IGNORECASE | re.DOTALL)


class _Codec(Protocol):
    vocab_size: int

    def encode(self, text: str, *, special_tokens: bool = True) -> list[int]: ...

    def decode(self, ids: list[int]) -> str: ...


class _Bytes:
    vocab_size = 256

    def encode(self, text: str, *, special_tokens: bool = True) -> list[int]:  # noqa: ARG002  (bytes have none)
        return list(text.encode("utf-8", "replace"))

    def decode(self, ids: list[int]) -> str:
        return bytes(ids).decode("utf-8", "replace")


class _Tokens:
    def __init__(self, path: Path) -> None:
        self._tokenizer = load_tokenizer(path)
        self.vocab_size = self._tokenizer.get_vocab_size(with_added_tokens=True)

    def encode(self, text: str, *, special_tokens: bool = True) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=special_tokens).ids)

    def decode(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids))


class InstantEngine(Engine):
    """An engine without weights: scores are shares of common ids, continuations are first words."""

    def __init__(self, name: str, tokenizer: Path | None = None) -> None:
        """Raise ConfigError if the directory holds no tokenizer."""
        self._codec: _Codec = _Tokens(tokenizer) if tokenizer else _Bytes()
        self._info = ModelInfo(
            name=name, vocab_size=self._codec.vocab_size, context_tokens=16 * BUDGET_TOKENS
        )

    @property
    @override
    def info(self) -> ModelInfo:
        """Its vocabulary is the tokenizer's, or the 256 bytes without one; its context is 16 x BUDGET_TOKENS."""
        return self._info

    @override
    def encode_many(self, texts: Sequence[str], *, special_tokens: bool = True) -> list[list[int]]:
        """Encode with the tokenizer, or as UTF-8 bytes without one."""
        return [self._codec.encode(text, special_tokens=special_tokens) for text in texts]

    @override
    def score_many(self, jobs: Sequence[ScoreJob]) -> list[list[list[float]]]:
        """Score by common ids: the first label's probability is the overlap, the others share the rest."""
        return [self._score(job) for job in jobs]

    @override
    def generate_many(self, jobs: Sequence[GenerateJob]) -> list[Generated]:
        """Continue with first words; temperature, penalty and stop strings play no part."""
        return [self._generate(job) for job in jobs]

    def _score(self, job: ScoreJob) -> list[list[float]]:
        wanted = set(job.prefix)
        return [
            _shares(overlap(wanted, set(item)), len(labels))
            for item, labels in zip(job.items, job.labels, strict=True)
        ]

    def _generate(self, job: GenerateJob) -> Generated:
        text = self._codec.decode(job.prompt)
        marked = _MARKED.fullmatch(text)
        ids = self._codec.encode(first_words(marked.group(1) if marked else text))
        cut = ids[: job.max_tokens]
        reason = "stop" if len(cut) == len(ids) else "length"
        if job.course.on_text:
            for tokens in range(1, len(cut) + 1):
                job.course.on_text(settled(self._codec.decode(cut[:tokens]), ()), tokens)
        return Generated(text=self._codec.decode(cut), tokens=len(cut), finish_reason=reason)


def _shares(first: float, labels: int) -> list[float]:
    """Return the first label's probability, then the rest in equal parts for the others."""
    return [first, *[(1 - first) / max(1, labels - 1)] * (labels - 1)]
