"""The report of retrieval: each retriever's figures on each set, and the embedder's candidates beside the matcher's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from training.components.arrays import Floats, Singles
from training.embedder.retrieval.figures import above, threshold_for
from training.embedder.retrieval.sets import RetrievalSet
from training.evaluation.intervals import interval_json, paired
from training.evaluation.settings import BootstrapConfig

FIRST = "embedder"
"""The retriever with which the others are compared."""
SHARE = 0.1
"""Share of the matcher's candidates that the embedder is given."""


def figure_rows(values: Mapping[str, Floats], config: BootstrapConfig) -> dict[str, dict[str, Any]]:
    """For each retriever the mean over queries and its paired difference to FIRST, with intervals."""
    names = [FIRST, *(name for name in values if name != FIRST)]
    found = paired(np.stack([values[name] for name in names]), config)
    return {
        name: {"value": interval_json(own), "minus_first": None if name == FIRST else interval_json(other)}
        for name, (own, other) in zip(names, found, strict=True)
    }


def candidate_rows(
    sets: Sequence[RetrievalSet],
    scores: Sequence[Singles],
    matched: Sequence[Singles],
    threshold: float | None,
) -> dict[str, Any]:
    """Candidates and recall of relevant pairs over several sets: the matcher's, and the embedder's by one threshold.

    `tenth`: by the threshold that leaves SHARE of the matcher's candidates of these very sets; `card`: by the
    checkpoint's own.
    """
    lexical = _sum([above(one, found, 0.5) for one, found in zip(matched, sets, strict=True)])
    tenth = pooled_threshold(sets, scores, round(SHARE * lexical["candidates"]))
    rows = {"matcher": lexical, "tenth": _at(tenth, sets, scores)}
    return rows if threshold is None else rows | {"card": _at(threshold, sets, scores)}


def pooled_threshold(sets: Sequence[RetrievalSet], scores: Sequence[Singles], candidates: int) -> float:
    """The least score at which all sets together have no more than so many candidates."""
    known = [one[found.grades_QN >= 0] for one, found in zip(scores, sets, strict=True)]
    return threshold_for(np.concatenate(known), candidates)


def _at(threshold: float, sets: Sequence[RetrievalSet], scores: Sequence[Singles]) -> dict[str, Any]:
    counts = [above(one, found, threshold) for one, found in zip(scores, sets, strict=True)]
    return _sum(counts) | {"threshold": threshold}


def _sum(counts: Sequence[tuple[int, int, int]]) -> dict[str, Any]:
    candidates, found, relevant = (sum(column) for column in zip(*counts, strict=True))
    return {"candidates": candidates, "relevant": relevant, "recall": found / relevant if relevant else 0.0}


def markdown(report: Mapping[str, Any]) -> str:
    """The report as Markdown tables."""
    parts = []
    for figure, title in report["figures"].items():
        head = f"| {title} | queries | " + " | ".join(report["retrievers"]) + " |"
        lines = [head, "|---|---|" + "---|" * len(report["retrievers"])]
        for one in report["sets"]:
            if rows := one["figures"].get(figure):
                cells = [_cell(rows.get(name)) for name in report["retrievers"]]
                lines.append(f"| {one['domain']}, {one['name']} | {one['queries']} | {' | '.join(cells)} |")
        parts.append("\n".join(lines))
    lines = ["| candidates of | pairs | relevant | recall | cosine |", "|---|---|---|---|---|"]
    for group, rows in report["candidates"].items():
        for name, row in rows.items():
            told = f"{row['threshold']:.3f}" if "threshold" in row else ""
            lines.append(
                f"| {group}: {name} | {row['candidates']} | {row['relevant']} | {row['recall']:.3f} | {told} |"
            )
    return "\n\n".join([*parts, "\n".join(lines)]) + "\n"


def _cell(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "–"
    told = f"{row['value']['mean']:.3f}"
    other = row["minus_first"]
    return told if other is None else f"{told} ({other['mean']:+.3f}{'*' if other['excludes_zero'] else ''})"
