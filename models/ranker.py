"""Equation (2): the probability that an item answers a query."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from typing_extensions import override

from models.prompts import Item, item_text
from schemas.characters import fold

_WORDS = re.compile(r"\w+")


SCORED_AS = "unknown/unknown"
"""Mode and arithmetic of a ranker that tells neither."""


class Ranker(Protocol):
    """Scores items of one query; may be called from several threads at once."""

    @property
    def model(self) -> str:
        """Name of the model that gave the latest answer, as `ranker@1`; part of score-cache keys."""
        ...

    @property
    def scored_as(self) -> str:
        """How that model computes, mode and arithmetic such as `shared/float32`, one word; part of score-cache keys.

        Scores of one model differ a little between modes and between arithmetics.
        """
        return SCORED_AS

    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        """`p_yes` of each item, in order; raises ModelUnavailable or ModelRejected for the request."""
        ...

    def answer_many(self, query: str, items: Sequence[Item], deadline_s: float) -> tuple[str, list[float]]:
        """Name of the model that gave the scores, and the scores; raises as `score_many` does.

        A ranker whose model may change while several threads call overrides this: `model` is the latest answer's.
        """
        scores = self.score_many(query, items, deadline_s)
        return self.model, scores


class LexicalRanker(Ranker):
    """Stand-in without a model: scores the share of the query's words that the item has, scaled into [0.02, 0.98]."""

    model = "lexical@1"

    @override
    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        """Score by common words; the deadline plays no part."""
        del deadline_s
        wanted = _words(query)
        return [overlap(wanted, _words(item_text(item))) for item in items]


def overlap(wanted: set[str] | set[int], found: set[str] | set[int]) -> float:
    """Return the share of `wanted` that is in `found`, scaled into [0.02, 0.98]; 0.02 if `wanted` is empty."""
    shared = len(wanted.intersection(found))
    return 0.02 + 0.96 * shared / max(1, len(wanted))


def _words(text: str) -> set[str]:
    return set(_WORDS.findall(fold(text)))
