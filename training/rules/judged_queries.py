"""Judged queries of the rules' test split, in memory: what benchmarks measure a ranker by."""

from __future__ import annotations

from pathlib import Path

from training.judging.policy import MATCHING, load_policy
from training.judging.postings import read_postings
from training.judging.records import Judged
from training.rules.judge import JudgeConfig, judged, prepare
from training.rules.lexicon.entries import Domain

CACHE = Path("build/rules")
"""Evidence found before."""


def judged_queries(postings: Path, domain: Domain, count: int, seed: int) -> list[Judged]:
    """`count` queries over companies that training never reads, each with its pool; ConfigError if there are fewer."""
    prepared = prepare(list(read_postings(postings)), domain, CACHE)
    items = {row.posting_id: row.item for row in prepared.splits.postings["test"]}
    return [
        Judged(
            query=rows[0].query,
            posting_ids=tuple(row.posting_id for row in rows),
            items=tuple(items[row.posting_id] for row in rows),
            grades=tuple(row.label for row in rows),
        )
        for rows in judged(prepared, "test", count, seed, JudgeConfig().pool, load_policy(MATCHING))
    ]
