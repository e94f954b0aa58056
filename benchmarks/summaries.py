"""Faults and lengths of summaries over many postings: broken words, repeats, empty ones, tokens taken away.

`python -m benchmarks summaries --postings FILE,... --most 10000`; postings are not in the repository (docs/data.md).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.common.report import Result, Row, say, write
from benchmarks.common.settings import SummariesBenchmark
from models.engine.checkpoint_engine import EngineConfig
from models.extractive.checkpoint import load_card
from models.extractive.faults import FAULTS, faults
from models.extractive.selection import LEAST_TOKENS
from models.guards import GUARDS, flags
from models.prompts import MAX_CHARS, SUMMARY_MAX_TOKENS, is_textless, summarizer_input
from models.server.in_process import InProcessSummarizer
from models.summarizer import Summarizer, Summary
from schemas.clean import clean
from schemas.errors import ConfigError
from training.judging.postings import PostingRow, read_postings

NAME = "summaries"
BATCH = 16
DEADLINE_S = 600.0
NEAR = 0.2
"""A length is near the asked one within this share of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One summary: its faults and guards, its length and that of its text, and the length that was asked for."""

    faults: frozenset[str]
    flags: frozenset[str]
    tokens: int
    text_tokens: int
    asked: int

    @property
    def is_near(self) -> bool:
        """Whether it has the asked length."""
        return abs(self.tokens - self.asked) <= NEAR * self.asked


def measure(settings: SummariesBenchmark, folder: Path) -> Result:
    """Summarize and check; write the result to `folder` and return it."""
    if not settings.postings:
        raise ConfigError("--postings FILE,...: the postings to summarize, JSON Lines (docs/data.md)")
    directory = Path(settings.summarizer)
    made, share = (
        InProcessSummarizer(directory, EngineConfig(role="summarizer", device="cpu")),
        load_card(directory).share,
    )
    tables: dict[str, list[Row]] = {"faults": [], "lengths": []}
    for path in settings.postings:
        rows = islice(
            (row for row in read_postings(path) if _has_text(row)), settings.first, None, settings.every
        )
        begun = time.process_time()
        found = list(_told(check(islice(rows, settings.most), made, share), path.name))
        tables["faults"].append(_fault_row(path.name, found))
        tables["lengths"].append(_length_row(path.name, found, time.process_time() - begun))
    result = Result(
        name=NAME,
        title="Summaries of real postings",
        settings={"summarizer": settings.summarizer, "most": settings.most, "every": settings.every},
        tables=tables,
    )
    write(result, folder)
    return result


def check(rows: Iterable[PostingRow], summarizer: Summarizer, share: float) -> Iterator[Checked]:
    """Summarize postings as the feature job asks, and check each summary; a failure of the model is an error."""
    rows = iter(rows)
    while some := list(islice(rows, BATCH)):
        texts = [summarizer_input(row.item.title, row.item.text) for row in some]
        for row, answer in zip(some, summarizer.summarize_many(texts, DEADLINE_S), strict=True):
            if not isinstance(answer, Summary):
                raise ConfigError(f"{row.posting_id}: {answer.reason}")
            yield _checked(row, answer, share)


def _checked(row: PostingRow, made: Summary, share: float) -> Checked:
    text = clean(row.item.text, MAX_CHARS)
    most = max(1, min(SUMMARY_MAX_TOKENS, made.input_tokens // 4))
    asked = min(most, max(LEAST_TOKENS, round(share * made.input_tokens)))
    return Checked(
        faults=faults(text, made.text, made.tokens, most),
        flags=flags(made.text, replace(row.item, text=text)),
        tokens=made.tokens,
        text_tokens=made.input_tokens,
        asked=asked,
    )


def _fault_row(name: str, found: Sequence[Checked]) -> Row:
    wrong = Counter(fault for one in found for fault in one.faults)
    guards = Counter(flag for one in found for flag in one.flags)
    return (
        {"postings": name, "summaries": len(found)}
        | {name: wrong[name] for name in FAULTS}
        | {f"guard: {name}": guards[name] for name in GUARDS}
    )


def _length_row(name: str, found: Sequence[Checked], took_s: float) -> Row:
    """Taken away at the median and the 99th percentile of the lengths, as training reports it, and of each posting."""
    tokens, texts = (
        np.array([getattr(one, part) for one in found], float) for part in ("tokens", "text_tokens")
    )
    saved = {
        f"taken away, p{q} of lengths": f"{1 - np.percentile(tokens, q) / max(1.0, np.percentile(texts, q)):.1%}"
        for q in (50, 99)
    }
    each = 1 - tokens / np.maximum(texts, 1)
    return {
        "postings": name,
        f"within {NEAR:.0%} of the asked length": f"{np.mean([one.is_near for one in found]):.1%}",
        **saved,
        "taken away of a posting, median": f"{np.median(each):.1%}",
        "of the postings, 99% lose at least": f"{np.percentile(each, 1):.1%}",
        "processor ms a posting": round(1000 * took_s / len(found), 1),
    }


def _told(found: Iterable[Checked], name: str) -> Iterator[Checked]:
    for number, one in enumerate(found, 1):
        if number % 500 == 0:
            say(f"{name}: {number}")
        yield one


def _has_text(row: PostingRow) -> bool:
    return not is_textless(summarizer_input("", row.item.text))
