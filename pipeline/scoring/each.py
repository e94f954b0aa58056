"""Scores of all items that the ranker takes, although it refuses some of them."""

import time
from collections.abc import Callable, Sequence

from models.prompts import Item
from models.ranker import Ranker
from schemas.errors import ModelRejected, ModelUnavailable


def score_each(
    ranker: Ranker,
    query: str,
    items: Sequence[Item],
    until_s: float,
    monotonic: Callable[[], float] = time.monotonic,
) -> list[float | ModelRejected]:
    """The score of each item, or why the ranker refuses this one; a refused call is halved until one item is left.

    `until_s`: by `monotonic`. Raises ModelUnavailable, also when no time is left.
    """
    if not items:
        return []
    left_s = until_s - monotonic()
    if left_s <= 0:
        raise ModelUnavailable("no time is left for this step's model calls")
    try:
        return list(ranker.score_many(query, items, left_s))
    except ModelRejected as refusal:
        if len(items) == 1:
            return [refusal]
    half = len(items) // 2
    first = score_each(ranker, query, items[:half], until_s, monotonic)
    return first + score_each(ranker, query, items[half:], until_s, monotonic)
