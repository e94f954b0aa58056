"""The interface between the server and what computes: token ids in, scores or text out.

One thread calls an engine (see `Batcher`), so it need not be thread-safe. Requests are checked before: their ids are
in the vocabulary, their prompts neither empty nor longer than the context.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from models.calibration import CalibratedLabels


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What a server tells about a model; `name` is base and generation, such as `ranker@1`."""

    name: str
    vocab_size: int
    context_tokens: int
    hidden_size: int = 0
    """Length of a hidden state; 0 of an engine that has none."""
    calibrated: CalibratedLabels | None = None
    """What the server makes of the scores that this engine computes, which are the model's own."""
    scored_as: str = ""
    """How it computes scores, mode and arithmetic such as `shared-prefix/float32`: they differ a little by both."""


@dataclass(slots=True, eq=False)
class ScoreReport:
    """What an engine tells of one computed job beside its scores."""

    computed_tokens: int | None = None
    """Tokens that went through the model for this job; those it shares with an earlier prompt of a pass did not."""
    hidden_states: list[list[float]] | None = None
    """For each item the state [hidden] of the prompt's last token after the final norm, if the job asks for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreJob:
    """One scoring request: for each of `items` the prompt `prefix + item`, and its labels at the same index."""

    prefix: list[int]
    items: list[list[int]]
    labels: list[list[int]]
    """For each item the token ids whose probabilities are wanted; items may share one list object."""
    softmax_over_labels: bool
    temperature: float
    hidden_states: bool = False
    """Whether the report is to hold the prompts' hidden states."""
    report: ScoreReport = field(default_factory=ScoreReport, compare=False)

    @property
    def tokens(self) -> int:
        """Number of tokens to compute, the prefix once."""
        return len(self.prefix) + sum(map(len, self.items))


@dataclass(slots=True, eq=False)
class Course:
    """The course of one continuation while it is computed; set and read from several threads."""

    aborted: bool = False
    """Once true, the continuation ends at the next token, for the reason `abort`."""
    on_text: Callable[[str, int], None] | None = None
    """Called on the model's thread after a token with the text so far that no later token can change, and its tokens.

    A batch that is run again tells from the beginning again.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateJob:
    """One prompt to continue. Temperature 0 takes the likeliest token, of equals the one with the lowest id."""

    prompt: list[int]
    max_tokens: int
    temperature: float
    frequency_penalty: float
    stop: tuple[str, ...]
    text: str | None = None
    """The prompt as its caller wrote it, None if it came as token ids: ids lose what a tokenizer folds."""
    course: Course = field(default_factory=Course, compare=False)

    @property
    def tokens(self) -> int:
        """Cost in prompt tokens; a decoded token costs about eight, because it reads all weights for one row."""
        return len(self.prompt) + 8 * self.max_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """A continuation, without its end marker; `finish_reason` is `stop`, `length` or `abort`."""

    text: str
    tokens: int
    finish_reason: str


class Engine(Protocol):
    """One loaded model that scores and continues prompts."""

    @property
    def info(self) -> ModelInfo:
        """Name and limits of the model."""
        ...

    def encode_many(self, texts: Sequence[str], *, special_tokens: bool = True) -> list[list[int]]:
        """Return the token ids of each text, with or without the special tokens its tokenizer adds; thread-safe."""
        ...

    def score_many(self, jobs: Sequence[ScoreJob]) -> list[list[list[float]]]:
        """Return probabilities [job][item][label], of each label as the prompt's next token."""
        ...

    def generate_many(self, jobs: Sequence[GenerateJob]) -> list[Generated]:
        """Return a continuation for each job."""
        ...
