"""Estimate what a backfill costs: a summarizer that only counts tokens, and a measured rate of summaries."""

import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from typing_extensions import override

from batch.catalog import Split
from batch.readers import read_rows
from batch.rows import BadRow, parse
from batch.settings import BackfillSettings
from models.prompts import SUMMARY_MAX_TOKENS, Prompter, summarizer_input
from models.summarizer import Summarizer, Summary, SummaryFailure
from schemas.events import DOCUMENTED, EventFormat

#: Tokens of English text to a word, where no tokenizer is given.
TOKENS_A_WORD = 4 / 3
SAMPLE_TEXTS = 32


class CountingSummarizer(Summarizer):
    """A summarizer for dry runs: counts the tokens of its input, and gives empty summaries of the greatest length."""

    def __init__(self, settings: BackfillSettings, generation: int) -> None:
        """Raises ConfigError for a folder without a tokenizer."""
        folder = settings.tokenizer_dir
        self._prompter = Prompter.from_dir(Path(folder)) if folder else None
        self._model = f"estimate@{generation}"

    @override
    def summarize_many(self, texts: Sequence[str], deadline_s: float) -> list[Summary | SummaryFailure]:
        """Count by the tokenizer, or by words x TOKENS_A_WORD without one; the deadline plays no part."""
        del deadline_s
        return [
            Summary(text="", tokens=SUMMARY_MAX_TOKENS, input_tokens=tokens, model=self._model)
            for tokens in self._lengths(texts)
        ]

    def _lengths(self, texts: Sequence[str]) -> list[int]:
        if self._prompter is None:
            return [round(TOKENS_A_WORD * len(text.split())) for text in texts]
        return self._prompter.count_many(texts)


def measured_rate(
    summarizer: Summarizer,
    split: Split,
    deadline_s: float,
    how: EventFormat = DOCUMENTED,
    monotonic: Callable[[], float] = time.monotonic,
) -> float:
    """Summaries a second over the catalog's first texts; 0 where nothing was summarized."""
    events = [parse(row, how) for row in islice(read_rows(split), SAMPLE_TEXTS)]
    texts = [
        summarizer_input(event.posting.title, event.posting.description)
        for event in events
        if not isinstance(event, BadRow) and event.posting is not None
    ]
    began = monotonic()
    made = sum(isinstance(answer, Summary) for answer in summarizer.summarize_many(texts, deadline_s))
    return made / max(1e-6, monotonic() - began)
