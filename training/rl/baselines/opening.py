"""A way to shorten postings by its name: a baseline, a prompt to an endpoint, or a summarizer's directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from models.prompts import Item
from schemas.errors import ConfigError
from training.judging.postings import PostingRow
from training.rl.baselines.base import Shortener
from training.rl.baselines.models import PROMPTS, PromptShortener, open_summarizer_dir
from training.rl.baselines.words import (
    Count,
    Keywords,
    Lead,
    NoDescription,
    TextRank,
    WithoutStopWords,
)

WORDS = ("none", "stop-words", "lead", "textrank", "idf")


def open_words(name: str, count: Count, items: Mapping[str, Item]) -> Shortener | None:
    """The baseline of WORDS that has this name; `count` gives lengths, word frequencies are those of `items`."""
    if name in {"none", "stop-words"}:
        return NoDescription() if name == "none" else WithoutStopWords()
    if name in {"lead", "textrank"}:
        return Lead(count) if name == "lead" else TextRank(count)
    if name == "idf":
        corpus = [PostingRow(posting_id=k, item=i, posted_at=None, source=None) for k, i in items.items()]
        return Keywords(count, corpus)
    return None


def open_shortener(name: str, url: str, model: str, count: Count, items: Mapping[str, Item]) -> Shortener:
    """The way to shorten of that name, prompts asked of `url`; ConfigError lists those that exist."""
    if found := open_words(name, count, items):
        return found
    if name in PROMPTS:
        return PromptShortener(name, url, model)
    if Path(name).is_dir():
        return open_summarizer_dir(Path(name))
    known = ", ".join((*WORDS, *PROMPTS))
    raise ConfigError(f"--summaries {name!r}: neither one of {known} nor a summarizer's directory")
