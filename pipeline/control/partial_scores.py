"""Scores of calls that did not come to their end, for the calls that ask for the same again."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from cachebox import LRUCache

from models.prompts import Item

#: Of several calls, each of which has about a hundred items.
ENTRIES = 4_096
#: No longer than a score may be answered from the cache.
KEPT_S = 900.0


class _Key(NamedTuple):
    model: str
    query: str
    item: Item


class PartialScores:
    """A bounded memory by model, query and item, for threads that share it; what is found in it is taken out."""

    def __init__(
        self,
        entries: int = ENTRIES,
        kept_s: float = KEPT_S,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kept_s, self._monotonic = kept_s, monotonic
        self._scores: LRUCache[_Key, tuple[float, float]] = LRUCache(entries)

    def __bool__(self) -> bool:
        return len(self._scores) > 0

    def __len__(self) -> int:
        return len(self._scores)

    def take(self, model: str, query: str, items: Iterable[Item]) -> dict[Item, float]:
        """Return the scores of these items that are known, and keep them no longer."""
        now, found = self._monotonic(), dict[Item, float]()
        for item in items:
            kept = self._scores.pop(_Key(model, query, item), None)
            if kept is not None and now < kept[1]:
                found[item] = kept[0]
        return found

    def keep(self, model: str, query: str, scores: Mapping[Item, float]) -> None:
        """Keep scores until they are taken, are too old, or make room for newer ones."""
        until = self._monotonic() + self._kept_s
        for item, score in scores.items():
            self._scores.insert(_Key(model, query, item), (score, until))
