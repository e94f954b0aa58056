"""Postings as alerts read them: with a summarizer's summary in the place of the text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from models.prompts import Item
from training.components.reporting import to_stderr
from training.components.summaries import Summaries
from training.judging.records import JudgedQuery

SUMMARIES = Path("build/summaries")
"""Folder in which summaries are kept for the next run."""


def summarized(
    items: Mapping[str, Item],
    queries: Iterable[JudgedQuery],
    summarizer: Path,
    folder: Path = SUMMARIES,
) -> dict[str, Item]:
    """The items that are judged for the queries, each with its summary as its text."""
    ids = list(dict.fromkeys(posting_id for query in queries for posting_id in query.posting_ids))
    made = Summaries(folder, summarizer, to_stderr).of("postings", [items[name] for name in ids])
    return {
        posting_id: replace(items[posting_id], text=text) for posting_id, text in zip(ids, made, strict=True)
    }
