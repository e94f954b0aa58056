"""Judged queries of the rules' test split, in memory, by which benchmarks measure a ranker."""

from __future__ import annotations

from pathlib import Path

from training.judging.drawing import Domain
from training.judging.policy import MATCHING, load_policy
from training.judging.postings import read_postings
from training.judging.records import Judged
from training.rules.judge import JudgeConfig, judged, prepare

CACHE = Path("build/rules")
"""Folder in which evidence is kept from run to run."""


def judged_queries(
    postings: Path, domain: Domain, count: int, seed: int, cache: Path = CACHE
) -> list[Judged]:
    """`count` queries over postings of companies that training does not read; ConfigError if fewer can be drawn."""
    prepared = prepare(list(read_postings(postings)), domain, cache)
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
