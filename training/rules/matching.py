"""What the matcher finds for a query among postings with summaries: the pairs that alerts ask a ranker about."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from models.prompts import Item
from pipeline.match import query_terms
from pipeline.terms import terms

MOST = 40
"""Postings of a pool, drawn from those that match."""


class SummaryMatcher:
    """Postings by the words of their titles, metadata and summaries."""

    def __init__(self, items: Sequence[Item], summaries: Sequence[str]) -> None:
        """`summaries`: of the items' texts, in their order."""
        self._terms = [_terms(item, summary) for item, summary in zip(items, summaries, strict=True)]

    def matching(self, query: str, rng: Random) -> list[int]:
        """Positions of up to MOST postings in which half of the query's words stand, in random order."""
        wanted, needed = query_terms(query)
        found = [i for i, held in enumerate(self._terms) if len(wanted & held) >= needed]
        return rng.sample(found, min(MOST, len(found)))


def _terms(item: Item, summary: str) -> frozenset[str]:
    fields = (item.title, item.company, item.location, item.employment_type, item.remote, summary)
    return terms(" ".join(field for field in fields if field))
