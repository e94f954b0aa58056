"""The seam between a server and whatever computes: token ids in, scores or token ids out.

An engine is driven by one thread (`Batcher`); it need not be thread-safe, and it never sees a request
that was not checked before (ids in the vocabulary, prompts neither empty nor over the context).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What a server says of a model: `name` is its base and generation, as `ranker@1`."""

    name: str
    vocab_size: int
    context_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreJob:
    """One scoring request: the prompts are `prefix + item`, one for each of `items`, each with its `labels`."""

    prefix: list[int]
    items: list[list[int]]
    labels: list[list[int]]
    """Ids whose probabilities are wanted, a list an item; one list object when all items share it."""
    softmax_over_labels: bool
    temperature: float

    @property
    def tokens(self) -> int:
        """Tokens to compute when the prefix is shared."""
        return len(self.prefix) + sum(map(len, self.items))


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateJob:
    """One prompt to continue; temperature 0 takes the likeliest token, the lowest id among equals."""

    prompt: list[int]
    max_tokens: int
    temperature: float
    frequency_penalty: float
    stop: tuple[str, ...]

    @property
    def tokens(self) -> int:
        """Cost in prefilled tokens; a decoded token reads all weights for one row: about eight."""
        return len(self.prompt) + 8 * self.max_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """The continuation without its end marker; `finish_reason` is `stop` or `length`."""

    text: str
    tokens: int
    finish_reason: str


class Engine(Protocol):
    """One loaded model."""

    @property
    def info(self) -> ModelInfo:
        """Name and limits."""
        ...

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, special tokens as the tokenizer adds them; thread-safe."""
        ...

    def score_many(self, jobs: Sequence[ScoreJob]) -> list[list[list[float]]]:
        """For each job a row per item: the probability of each label after the prompt's last token."""
        ...

    def generate_many(self, jobs: Sequence[GenerateJob]) -> list[Generated]:
        """A continuation for each job."""
        ...
