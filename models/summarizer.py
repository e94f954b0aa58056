"""A posting's text in, a short summary out; a failure is a value, so that one text never fails a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from typing_extensions import override


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A summary, its length and its input's in the model's tokens, and the name that the answer carried."""

    text: str
    tokens: int
    input_tokens: int
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """An outage or a missed deadline: the text is fine, ask again after `retry_after_s`."""

    reason: str
    retry_after_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Poison: refused, or failed three times while the server's health and its neighbours were good."""

    reason: str


ModelFailure = Unavailable | Rejected


class Summarizer(Protocol):
    """Whatever summarizes."""

    def summarize_many(self, texts: Sequence[str], deadline_s: float) -> list[Summary | ModelFailure]:
        """An outcome for each `prompts.summarizer_input`, in order, within `deadline_s` seconds in all."""
        ...


INSTANT_WORDS = 24


def first_words(text: str, words: int = INSTANT_WORDS) -> str:
    """The first words of a `summarizer_input`'s text part, or of its title where there is none."""
    title, _, body = text.partition("\nText: ")
    return " ".join((body or title).split(None, words)[:words])


class InstantSummarizer(Summarizer):
    """The stand-in without a model: the first words, at once, always the same."""

    def __init__(self, model: str = "instant@1") -> None:
        """`model`: the name in its answers, whose number is the generation."""
        self.model = model

    @override
    def summarize_many(self, texts: Sequence[str], deadline_s: float) -> list[Summary | ModelFailure]:
        """Lengths are in words; nobody is called, so the deadline does not matter."""
        del deadline_s
        return [self._summary(text) for text in texts]

    def _summary(self, text: str) -> Summary:
        words = first_words(text)
        # the input's white space is collapsed: it has one separator between any two words
        return Summary(
            text=words, tokens=words.count(" ") + 1, input_tokens=text.count(" ") + 2, model=self.model
        )
