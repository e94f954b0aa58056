"""Settings of the tiny ranker's training mix: shares of the kinds of queries, forms of texts, sizes."""

from __future__ import annotations

from dataclasses import dataclass, field

from training.judging.drawing import Domain
from training.rules.lexicon.entries import DOMAINS
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
    negated: float = 0.0
    """Share of the facet queries that ask for an occupation without a facet."""
    views: ViewShares = field(default_factory=ViewShares)
    """Forms of the texts of real postings."""
    clauses: int = 30_000
    """Distinct clauses of each domain's postings that MiniLM reads."""
    domains: tuple[Domain, ...] = DOMAINS
    """Domains whose postings are read, where their files are given."""
    pool: int = 4000
    renew_batches: int = 250
    seed: int = 1


MIXES = {
    "first": MixConfig(domains=("health", "technology")),
    "whole": MixConfig(
        titles=0.4, generated=0.10, facets=0.46, words=0.08, sentences=0.36, negated=0.12, views=SERVED
    ),
}
"""By name: of the first stage, in which matching is learned, and of the second, which has all kinds of queries."""
