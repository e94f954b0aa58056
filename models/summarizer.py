"""Summaries of postings. A failure is returned as a value, so that one text never fails a whole batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from typing_extensions import override


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A summary, its length and that of its input in the model's tokens, and the model's name from the answer."""

    text: str
    tokens: int
    input_tokens: int
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryUnavailable:
    """No summary because of an outage or a missed deadline: ask again after `retry_after_s`, the text is fine."""

    reason: str
    retry_after_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRejected:
    """No summary because the text is poison: refused, or failed three times while the server answered others."""

    reason: str


SummaryFailure = SummaryUnavailable | SummaryRejected


class Summarizer(Protocol):
    """Makes summaries."""

    def summarize_many(self, texts: Sequence[str], deadline_s: float) -> list[Summary | SummaryFailure]:
        """Return a summary or a failure for each `prompts.summarizer_input`, in order, all within `deadline_s`."""
        ...


INSTANT_WORDS = 24


def first_words(text: str, words: int = INSTANT_WORDS) -> str:
    """Return the first words of the text part of a `summarizer_input`, or of its title if it has no text."""
    title, _, body = text.partition("\nText: ")
    return " ".join((body or title).split(None, words)[:words])


class InstantSummarizer(Summarizer):
    """Stand-in without a model: a summary is the first words of the text."""

    def __init__(self, model: str = "instant@1") -> None:
        """`model` is the name in its summaries; the number after the @ is the generation."""
        self.model = model

    @override
    def summarize_many(self, texts: Sequence[str], deadline_s: float) -> list[Summary | SummaryFailure]:
        """Summarize by first words; lengths are in words, and the deadline plays no part."""
        del deadline_s
        return [self._summary(text) for text in texts]

    def _summary(self, text: str) -> Summary:
        words = first_words(text)
        # in the input any two words are separated by one character: counting those counts words
        return Summary(
            text=words, tokens=words.count(" ") + 1, input_tokens=text.count(" ") + 2, model=self.model
        )
