"""Settings of the tiny ranker's training mix: shares of the kinds of queries, forms of texts, sizes."""

from __future__ import annotations

from dataclasses import dataclass, field

from training.tiny.ranker.views import SERVED, ViewShares


@dataclass(frozen=True, slots=True, kw_only=True)
class MixConfig:
    """Shares of a step's queries by kind, and sizes.

    `pool`: generated postings held at a time; after `renew_batches` batches others are generated.
    """

    titles: float = 0.4
    """Added to the shares of the others, which sum to 1: prompts of titles are short and cost little."""
    generated: float = 0.1
    facets: float = 0.75
    words: float = 0.15
    sentences: float = 0.0
    """Queries in free wordings, graded by MiniLM's vectors."""
    views: ViewShares = field(default_factory=ViewShares)
    """Forms of the texts of real postings."""
    clauses: int = 40_000
    """Distinct clauses of each domain's postings that MiniLM reads."""
    pool: int = 4000
    renew_batches: int = 250
    seed: int = 1


MIXES = {
    "first": MixConfig(),
    "whole": MixConfig(
        titles=0.3, generated=0.14, facets=0.40, words=0.08, sentences=0.38, views=SERVED
    ),
}
"""By name: of the first stage, in which matching is learned, and of the second, which has all kinds of queries."""
