"""The ranker as one of the compared systems: on whole postings, or on postings without their description."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from typing_extensions import override

from models.prompts import Item
from training.components.arrays import Floats
from training.evaluation.scorers import LogitScorer
from training.evaluation.settings import Tell
from training.evaluation.systems import System
from training.judging.records import JudgedQuery

QUERIES = 8
"""Queries handed to the scorer at a time: more fill its forward passes, fewer move the progress bar more often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankerSystem(System):
    """The ranker on whole items, or on items without their description."""

    scorer: LogitScorer
    describe: bool = True
    title: str = "ranker"

    @property
    @override
    def name(self) -> str:
        """`title`, or `no-description` if items are scored without it."""
        return self.title if self.describe else "no-description"

    @property
    @override
    def settings(self) -> dict[str, Any]:
        """`probable` says that the scores are logits of a probability."""
        return {"probable": True, "description": self.describe, **self.scorer.settings}

    @override
    def score_many(
        self, queries: Sequence[JudgedQuery], items: Mapping[str, Item], tell: Tell
    ) -> list[Floats]:
        """Hand the scorer QUERIES queries at a time; raises what the scorer raises."""
        found: list[Floats] = []
        for start in range(0, len(queries), QUERIES):
            some = queries[start : start + QUERIES]
            found += self.scorer.differences(
                [(q.query, [self._item(items[i]) for i in q.posting_ids]) for q in some]
            )
            tell(sum(len(q.posting_ids) for q in some))
        return found

    def _item(self, item: Item) -> Item:
        return item if self.describe else replace(item, text="")
