"""The protocol of an actor: a policy that shortens postings, which reinforcement learning samples and improves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from models.extractive.phrase import Phrase
from training.judging.postings import PostingRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A posting made ready for an actor; an actor may return a subclass with what it needs beside.

    `text` is the description as the ranker would read it (cleaned), `tokens` its length in the ranker's tokens.
    """

    posting: PostingRow
    text: str
    tokens: int
    phrases: tuple[Phrase, ...] = ()
    """Of an extractive actor: what it may choose from, in text order."""
    counts: tuple[int, ...] = ()
    """Length of each phrase in the ranker's tokens."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """A summary that was drawn, the actions that made it, and their log-probabilities when they were drawn.

    An extractive actor has one action a phrase (1: chosen, 0: left out), a generative one the token ids.
    """

    text: str
    chosen: tuple[int, ...]
    """Of an extractive actor: the numbers of the chosen phrases, ascending; else empty."""
    actions: Tensor
    """[n] int64."""
    log_probs: Tensor
    """[n] fp32, without a gradient."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ActionLogProbs:
    """What the present policy thinks of samples' actions, each tensor [samples, longest n] and differentiable."""

    log_probs: Tensor
    entropies: Tensor
    """Entropy in nats of the distribution that each action was drawn from."""
    mask: Tensor
    """Bool: whether there is an action; the other two are 0 where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeightGroup:
    """Weights that share a learning rate, which is the run's times `rate`."""

    name: str
    weights: list[nn.Parameter]
    rate: float


class Actor(Protocol):
    """A policy from postings to summaries. `copy.deepcopy` of it is the frozen start that a KL is taken to."""

    def prepare(self, postings: Iterable[PostingRow]) -> list[Source]:
        """Return each posting ready to be read, in order; one without text has an empty `text`."""
        ...

    def sample(self, sources: Sequence[Source], group: int, generator: torch.Generator) -> list[list[Sample]]:
        """Return `group` samples for each source; the generator (of the CPU) alone decides what is drawn."""
        ...

    def log_probs(self, sources: Sequence[Source], samples: Sequence[Sequence[Sample]]) -> ActionLogProbs:
        """Judge the actions of `samples[i]`, which were drawn for `sources[i]`; rows are in source-major order."""
        ...

    def greedy(self, sources: Sequence[Source], share: float) -> list[str]:
        """Return the summary that is served for each source, of about `share` of its tokens."""
        ...

    def greedy_at(self, sources: Sequence[Source], shares: Sequence[float]) -> list[list[str]]:
        """Return for each share what `greedy` returns; an actor that need not read again overrides it."""
        return [self.greedy(sources, share) for share in shares]

    def parameters(self) -> list[WeightGroup]:
        """Return what is trained."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Return all weights in fp32 on the CPU, for a training state that is resumed exactly."""
        ...

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights of `state`."""
        ...

    def save(self, directory: Path) -> None:
        """Write a directory that can be served; TrainingDiverged, and nothing written, for weights not finite."""
        ...

    def load(self, directory: Path) -> None:
        """Take the weights of such a directory; ConfigError if it does not fit."""
        ...
