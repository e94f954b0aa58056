"""Summaries by what the ranker makes of them: NDCG@10, KL to raw text and tokens taken away, beside baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from schemas.errors import ConfigError
from training.evaluation.compression.cells import signed
from training.evaluation.compression.comparing import pairs
from training.evaluation.compression.measured import Lengths
from training.evaluation.intervals import interval_json, intervals
from training.evaluation.report import EvaluationReport, build, input_hashes
from training.evaluation.settings import Begin, EvaluationConfig, EvaluationRequest
from training.judging.postings import PostingRow
from training.rl.baselines.base import Shortener
from training.rl.baselines.opening import open_shortener
from training.rl.short_texts import ShortTexts, read_judged

CHUNK = 200
"""Postings shortened between two moves of the progress bar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRequest:
    """Summaries to judge: names of WORDS, of PROMPTS (asked of `url`), or checkpoint directories; the share wanted."""

    names: tuple[str, ...]
    share: float = 0.07
    url: str = ""
    model: str = "summarizer"


def evaluate_summaries(
    request: EvaluationRequest, summaries: SummaryRequest, config: EvaluationConfig, begin: Begin
) -> EvaluationReport:
    """A report whose first system is the ranker on raw texts; each other has `summaries`: lengths and KL to raw.

    `pairs` has the differences of each two ways to shorten. ConfigError names the file, the row or the setting that is
    wrong.
    """
    if not 0 < summaries.share <= 1:
        raise ConfigError(f"--share must be above 0 and at most 1: {summaries.share}")
    queries, items = read_judged(request)
    judge = ShortTexts(queries, items, request.ranker, config.metrics, begin)
    found = [judge.raw]
    lengths = [Lengths(saved_p50=0.0, saved_p99=0.0, kept=1.0)]
    for name in summaries.names:
        shortener = open_shortener(name, summaries.url, summaries.model, judge.count, items)
        texts = _shortened(shortener, judge.rows, summaries.share, begin)
        found.append(judge.result(shortener.name, texts))
        lengths.append(judge.lengths(texts))
    inputs = input_hashes("judged", [request.judged]) + input_hashes("postings", request.postings)
    given = (request.ranker.name, *summaries.names)
    for role, names in (("ranker", given[:1]), ("summarizer", given[1:])):
        inputs += input_hashes(role, [Path(name) for name in names if Path(name).is_dir()])
    settings = {"split": request.split, "inputs": inputs, "notes": [], "share": summaries.share}
    report = build(queries, found, config, settings)
    measured = [
        judge.measured(request.ranker.name, one, summaries.share, own)
        for one, own in zip(found, lengths, strict=True)
    ]
    kls = intervals(np.stack([one.kl_Q for one in measured]), config.bootstrap)
    for system, kl, own in zip(report["systems"], kls, lengths, strict=True):
        system["summaries"] = asdict(own) | {"kl": interval_json(kl)}
    return report | {"pairs": pairs(measured[1:], config.bootstrap)}


def _shortened(shortener: Shortener, rows: Sequence[PostingRow], share: float, begin: Begin) -> list[str]:
    tell, found = begin(f"{shortener.name}: summaries", len(rows)), list[str]()
    for start in range(0, len(rows), CHUNK):
        some = rows[start : start + CHUNK]
        found += shortener.shorten_many(some, share)
        tell(len(some))
    return found


def markdown(report: EvaluationReport) -> str:
    """The report as Markdown tables: each way beside raw text, then each two ways; stars mark intervals without 0."""
    k, share = report["settings"]["k"], report["settings"]["share"]
    head = (
        f"| description, {share:.0%} asked for | NDCG@{k} | minus raw | taken away p50 / p99 | KL to raw |\n"
        "|---|---|---|---|---|\n"
    )
    between = (
        f"\n| same queries | NDCG@{k}, difference | KL to raw, difference | tokens kept |\n|---|---|---|---|\n"
        if report["pairs"]
        else ""
    )
    return head + "".join(map(_row, report["systems"])) + between + "".join(map(_pair, report["pairs"]))


def _row(system: Mapping[str, Any]) -> str:
    ndcg, short = system["metrics"]["ndcg"], system["summaries"]
    more = ndcg.get("minus_first")
    return (
        f"| {system['name']} | {ndcg['mean']:.4f} [{ndcg['low']:.4f}, {ndcg['high']:.4f}] "
        f"| {signed(more) if more else ''} "
        f"| {short['saved_p50']:.1%} / {short['saved_p99']:.1%} | {short['kl']['mean']:.4f} |\n"
    )


def _pair(pair: Mapping[str, Any]) -> str:
    return (
        f"| {pair['name']} minus {pair['minus']} | {signed(pair['ndcg'])} | {signed(pair['kl'])} "
        f"| {pair['kept']:.1%}, {pair['other_kept']:.1%} |\n"
    )
