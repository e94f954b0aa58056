"""Summaries by what the ranker makes of them: NDCG@10, KL to raw text and tokens taken away, beside baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import override

from models.divergence import binary_kl
from models.prompts import Item, Prompter
from schemas.errors import ConfigError
from training.components.arrays import Floats
from training.evaluation.intervals import interval_json, paired
from training.evaluation.ranker_system import RankerSystem
from training.evaluation.report import EvaluationReport, build, input_hashes
from training.evaluation.scorers import open_scorer
from training.evaluation.settings import Begin, EvaluationConfig, EvaluationRequest, Tell
from training.evaluation.systems import System, system_result
from training.judging.judged_file import check_known, read_items, read_judged_queries
from training.judging.postings import PostingRow
from training.judging.records import JudgedQuery
from training.rl.baselines.base import Shortener
from training.rl.baselines.models import PROMPTS, PromptShortener, open_summarizer_dir
from training.rl.baselines.words import (
    Count,
    Keywords,
    Lead,
    NoDescription,
    TextRank,
    WithoutStopWords,
    text_of,
)
from training.rl.run import tokenizer_of

WORDS = ("none", "stop-words", "lead", "textrank", "idf")
CHUNK = 200
"""Postings shortened between two moves of the progress bar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRequest:
    """Summaries to judge: names of WORDS, of PROMPTS (asked of `url`), or checkpoint directories; the share wanted."""

    names: tuple[str, ...]
    share: float = 0.07
    url: str = ""
    model: str = "summarizer"


class SummarySystem(System):
    """The ranker on the short texts of one shortener."""

    def __init__(self, ranker: RankerSystem, name: str, texts: Mapping[str, str]) -> None:
        self._ranker, self._name, self._texts = ranker, name, texts

    @property
    @override
    def name(self) -> str:
        """The shortener's."""
        return self._name

    @property
    @override
    def settings(self) -> dict[str, Any]:
        """The ranker's."""
        return self._ranker.settings

    @override
    def score_many(
        self, queries: Sequence[JudgedQuery], items: Mapping[str, Item], tell: Tell
    ) -> list[Floats]:
        """Score the items with their texts replaced."""
        short = {key: replace(items[key], text=text) for key, text in self._texts.items()}
        return self._ranker.score_many(queries, short, tell)


def evaluate_summaries(
    request: EvaluationRequest, summaries: SummaryRequest, config: EvaluationConfig, begin: Begin
) -> EvaluationReport:
    """A report whose first system is the ranker on raw texts; each other has `summaries`: lengths and KL to raw.

    ConfigError names the file, the row or the setting that is wrong.
    """
    if not 0 < summaries.share <= 1:
        raise ConfigError(f"--share must be above 0 and at most 1: {summaries.share}")
    queries, items = read_judged_queries(request.judged, request.split), read_items(request.postings)
    check_known(queries, items)
    wanted = dict.fromkeys(posting for query in queries for posting in query.posting_ids)
    rows = [PostingRow(posting_id=key, item=items[key], posted_at=None, source=None) for key in wanted]
    count = Prompter.from_dir(tokenizer_of(request.ranker)).count_many
    ranker, pairs = RankerSystem(scorer=open_scorer(request.ranker)), sum(len(q.posting_ids) for q in queries)
    raw = system_result(ranker, queries, items, config.metrics, begin("raw", pairs))
    found, lengths = [replace(raw, name="raw")], [np.array(count([text_of(row) for row in rows]), float)]
    for name in summaries.names:
        shortener = _open(name, summaries, count, items)
        texts = _shortened(shortener, rows, summaries.share, begin)
        short = SummarySystem(ranker, shortener.name, dict(zip(wanted, texts, strict=True)))
        found.append(system_result(short, queries, items, config.metrics, begin(short.name, pairs)))
        lengths.append(np.array(count(texts), float))
    inputs = input_hashes("judged", [request.judged]) + input_hashes("postings", request.postings)
    report = build(queries, found, config, {"split": request.split, "inputs": inputs, "notes": []})
    kls = [_kl_by_query(one.scores or [], raw.scores or []) for one in found]
    intervals = [mean for mean, _ in paired(np.stack(kls), config.bootstrap)]
    for system, kl, tokens in zip(report["systems"], intervals, lengths, strict=True):
        system["summaries"] = _lengths(tokens, lengths[0]) | {"kl": interval_json(kl)}
    report["settings"]["share"] = summaries.share
    return report


def _open(name: str, summaries: SummaryRequest, count: Count, items: Mapping[str, Item]) -> Shortener:
    if name in {"none", "stop-words"}:
        return NoDescription() if name == "none" else WithoutStopWords()
    if name in {"lead", "textrank"}:
        return Lead(count) if name == "lead" else TextRank(count)
    if name == "idf":
        corpus = [PostingRow(posting_id=k, item=i, posted_at=None, source=None) for k, i in items.items()]
        return Keywords(count, corpus)
    if name in PROMPTS:
        return PromptShortener(name, summaries.url, summaries.model)
    if Path(name).is_dir():
        return open_summarizer_dir(Path(name))
    known = ", ".join((*WORDS, *PROMPTS))
    raise ConfigError(f"--summaries {name!r}: neither one of {known} nor a summarizer's directory")


def _shortened(shortener: Shortener, rows: Sequence[PostingRow], share: float, begin: Begin) -> list[str]:
    tell, found = begin(f"{shortener.name}: summaries", len(rows)), list[str]()
    for start in range(0, len(rows), CHUNK):
        some = rows[start : start + CHUNK]
        found += shortener.shorten_many(some, share)
        tell(len(some))
    return found


def _kl_by_query(scores: Sequence[Floats], raw: Sequence[Floats]) -> Floats:
    return np.array([binary_kl(own, full).mean() for own, full in zip(scores, raw, strict=True)])


def _lengths(tokens_N: Floats, raw_N: Floats) -> dict[str, float]:
    """Tokens taken away at the median and at the 99th percentile of the lengths, and the share that is kept in all."""
    saved = {
        f"saved_p{q}": 1 - float(np.percentile(tokens_N, q)) / max(1.0, float(np.percentile(raw_N, q)))
        for q in (50, 99)
    }
    return saved | {"kept": float(tokens_N.sum() / max(1.0, raw_N.sum()))}


def markdown(report: EvaluationReport) -> str:
    """The report as one Markdown table; a star marks a difference to raw text whose interval excludes 0."""
    k, share = report["settings"]["k"], report["settings"]["share"]
    head = (
        f"| description, {share:.0%} asked for | NDCG@{k} | minus raw | taken away p50 / p99 | KL to raw |\n"
        "|---|---|---|---|---|\n"
    )
    return head + "".join(map(_row, report["systems"]))


def _row(system: Mapping[str, Any]) -> str:
    ndcg, short = system["metrics"]["ndcg"], system["summaries"]
    more = ndcg.get("minus_first")
    star = "*" if more and more["excludes_zero"] else ""
    minus = f"{more['mean']:+.4f} [{more['low']:+.4f}, {more['high']:+.4f}]{star}" if more else ""
    return (
        f"| {system['name']} | {ndcg['mean']:.4f} [{ndcg['low']:.4f}, {ndcg['high']:.4f}] | {minus} "
        f"| {short['saved_p50']:.1%} / {short['saved_p99']:.1%} | {short['kl']['mean']:.4f} |\n"
    )
