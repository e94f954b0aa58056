"""`python -m training.tiny.evaluate`: what the tiny checkpoints do on postings that they never saw.

Ranker: AUC of p_yes (grade 3 and 4 against the rest) with an interval over resampled queries. Summarizer: share of
the input's tokens, and Kendall's tau-b per query between the ranking of postings on summaries and on raw text,
beside the same for the first words of the same length. Real data are read only where `--data` names their folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np
import torch

from models.prompts import Item, Prompter
from pipeline.checks.agreement import kendall
from schemas import arguments
from training.components.arrays import Floats
from training.components.reporting import told_in_one_line
from training.evaluation import intervals, metrics
from training.evaluation.offline import OfflineSummarizer, TransformersScorer
from training.judging.records import Judged
from training.tiny.judged_sets import sets
from training.tiny.settings import Sizes, TinyEvaluation

SHARE, CAP, LEAST = 0.25, 128, 8
"""The client's limit on a summary: a quarter of its input's tokens, at most 128, at least 8."""

Figure = dict[str, float | str | list[float]]


def main() -> None:
    """Print a table and write the figures as JSON."""
    given = arguments.parse(
        TinyEvaluation, None, prog="python -m training.tiny.evaluate", description=__doc__, environ=os.environ
    )
    torch.set_num_threads(given.threads)
    with told_in_one_line():
        _evaluate(given)


def _evaluate(given: TinyEvaluation) -> None:
    ranker, summarizer = (
        TransformersScorer.from_dir(given.ranker),
        OfflineSummarizer.from_dir(given.summarizer),
    )
    rows: list[Figure] = []
    for name, judged in sets(given.data, given.sizes):
        rows.append(
            {"set": name} | ranking(ranker, judged) | agreement(ranker, summarizer, judged, given.sizes)
        )
        print(" | ".join(f"{key} {_shown(value)}" for key, value in rows[-1].items()), flush=True)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def ranking(ranker: TransformersScorer, judged: Sequence[Judged]) -> Figure:
    """AUC over all pairs and within queries, with bootstrap intervals over queries; mean p_yes by grade."""
    scores = ranker.differences([(j.query, j.items) for j in judged])
    good = [np.array(j.grades) >= 3 for j in judged]

    def pooled(rows: list[int]) -> float:
        return metrics.auc(np.concatenate([scores[r] for r in rows]), np.concatenate([good[r] for r in rows]))

    def within(rows: list[int]) -> float:
        return float(np.nanmean([metrics.auc(scores[r], good[r]) for r in rows]))

    p_yes, grades = 1 / (1 + np.exp(-np.concatenate(scores))), np.concatenate([j.grades for j in judged])
    by_grade = [float(p_yes[grades == g].mean()) if (grades == g).any() else float("nan") for g in range(5)]
    return {
        "queries": float(len(judged)),
        "auc": list(intervals.bootstrap(judged, pooled)),
        "auc_within": list(intervals.bootstrap(judged, within)),
        "p_yes_by_grade": by_grade,
    }


def agreement(
    ranker: TransformersScorer, summarizer: OfflineSummarizer, judged: Sequence[Judged], sizes: Sizes
) -> Figure:
    """Size of summaries, and Kendall's tau of rankings on them to those on raw text, beside the first words' tau."""
    rng = Random(sizes.seed)
    pool = list({id(item): item for j in judged for item in j.items}.values())
    items = rng.sample(pool, min(sizes.summaries, len(pool)))
    short = [summarize(summarizer, item) for item in items]
    tokens = summarizer.prompter.count_many([text for text, _ in short])
    whole = summarizer.prompter.count_many([item.text for item in items])
    shares = np.array(tokens) / np.array(whole)
    first = [
        first_tokens(ranker.prompter, item.text, count) for item, count in zip(items, tokens, strict=True)
    ]
    queries = [j.query for j in judged]
    raw = _matrix(ranker, queries, items)
    kept = _matrix(
        ranker, queries, [replace(item, text=text) for item, (text, _) in zip(items, short, strict=True)]
    )
    begun = _matrix(
        ranker, queries, [replace(item, text=text) for item, text in zip(items, first, strict=True)]
    )
    ours = np.array([kendall(a.tolist(), b.tolist()) for a, b in zip(raw, kept, strict=True)])
    theirs = np.array([kendall(a.tolist(), b.tolist()) for a, b in zip(raw, begun, strict=True)])
    return {
        "share_mean_max": [float(shares.mean()), float(shares.max())],
        "ended": float(np.mean([done for _, done in short])),
        "tau": list(intervals.bootstrap(queries, lambda rows: float(np.nanmean(ours[rows])))),
        "tau_first_words": list(intervals.bootstrap(queries, lambda rows: float(np.nanmean(theirs[rows])))),
        "tau_gain": list(intervals.bootstrap(queries, lambda rows: float(np.nanmean((ours - theirs)[rows])))),
    }


def summarize(summarizer: OfflineSummarizer, item: Item) -> tuple[str, bool]:
    """The summary under the client's limit, and whether it ended before the limit."""
    (size,) = summarizer.prompter.count_many([item.text])
    limit = max(LEAST, min(CAP, int(SHARE * size)))
    ids = summarizer.generate(item.title, item.text, limit)
    return summarizer.decode(ids), len(ids) < limit


def first_tokens(prompter: Prompter, text: str, count: int) -> str:
    """The longest start of a text, in whole words, of at most `count` tokens."""
    words = text.split()
    low, high = 0, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        fits = prompter.count_many([" ".join(words[:middle])])[0] <= count
        low, high = (middle, high) if fits else (low, middle - 1)
    return " ".join(words[:low])


def _matrix(ranker: TransformersScorer, queries: Sequence[str], items: Sequence[Item]) -> Floats:
    return np.stack(ranker.differences([(query, items) for query in queries]))


def _shown(value: float | str | list[float]) -> str:
    if isinstance(value, list):
        return "[" + " ".join(f"{v:.3f}" for v in value) + "]"
    return value if isinstance(value, str) else f"{value:.3g}"


if __name__ == "__main__":
    main()
