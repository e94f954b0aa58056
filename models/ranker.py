"""Equation (2): the probability that an item answers a query."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from typing_extensions import override

from models.prompts import Item, item_text

_WORDS = re.compile(r"\w+")


class Ranker(Protocol):
    """Whatever scores items of one query."""

    @property
    def model(self) -> str:
        """Name of the model that gave the latest answer, as `ranker@1`; part of score-cache keys."""
        ...

    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        """`p_yes` of each item, in order; raises ModelUnavailable or ModelRejected for the request."""
        ...


class LexicalRanker(Ranker):
    """The stand-in without a model: the share of the query's words that the item has, inside (0, 1)."""

    model = "lexical@1"

    @override
    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        """Counts words in no time to speak of, so the deadline does not matter."""
        del deadline_s
        wanted = _words(query)
        return [overlap(wanted, _words(item_text(item))) for item in items]


def overlap(wanted: set[str] | set[int], found: set[str] | set[int]) -> float:
    """Share of `wanted` in `found`, drawn into [.02, .98]; .02 when nothing is wanted."""
    shared = len(wanted.intersection(found))
    return 0.02 + 0.96 * shared / max(1, len(wanted))


def _words(text: str) -> set[str]:
    return set(_WORDS.findall(text.casefold()))
