"""The paper's figures for shorter texts (arXiv 2510.22101, tables 4 and 5): changes of NDCG@10, tokens taken away."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPrompt:
    """A row of table 4; `name`: the shortener of `nearline evaluate --summaries` that does the same here."""

    name: str
    title: str
    change: float
    saved: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRun:
    """A row of table 5, `saved` at the 99th percentile of the lengths."""

    algorithm: str
    penalty: str
    w: float
    change: float
    saved: float


TABLE_4 = (
    PublishedPrompt(name="none", title="no item description", change=-0.09, saved=1.0),
    PublishedPrompt(name="stop-words", title="stop words removed", change=-0.005, saved=0.16),
    PublishedPrompt(name="summarize", title='"Summarize" prompt', change=-0.025, saved=0.52),
    PublishedPrompt(name="yaml", title="YAML prompt", change=-0.027, saved=0.74),
    PublishedPrompt(name="phrases", title='"Key phrases" prompt', change=-0.015, saved=0.61),
)


def _rows(algorithm: str, penalty: str, *rows: tuple[float, float, float]) -> tuple[PublishedRun, ...]:
    return tuple(
        PublishedRun(algorithm=algorithm, penalty=penalty, w=w, change=change, saved=saved)
        for w, change, saved in rows
    )


TABLE_5 = (
    *_rows("grpo", "p1", (0.0, -0.018, 0.52)),
    *_rows(
        "dr_grpo",
        "p1",
        (0.0, -0.010, 0.66),
        (0.05, -0.011, 0.69),
        (0.1, -0.016, 0.84),
        (1.0, -0.020, 0.92),
        (10.0, -0.024, 0.94),
    ),
    *_rows(
        "dr_grpo", "p2", (0.1, -0.020, 0.89), (0.5, -0.022, 0.94), (1.0, -0.026, 0.95), (10.0, -0.039, 0.98)
    ),
    *_rows("gspo", "p2", (0.3, -0.017, 0.91), (0.4, -0.020, 0.93), (1.0, -0.022, 0.95)),
)
PRODUCTION = ("gspo", "p2", 0.4)
"""The row of table 5 that went into production."""
TABLE_6 = (
    (600, "", "raw text", 0.8950),
    (375, "raw text", "summaries", 0.8786),
    (375, "summaries", "summaries", 0.8788),
)
"""Table 6: parameters in millions, fine-tuned on, evaluated on, NDCG@10."""
