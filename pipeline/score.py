"""Scores through the cache: the same protocol as the ranker that it wraps."""

from collections.abc import Sequence
from functools import lru_cache

from models.prompts import PROMPT_VERSION, Item, item_text, query_text
from models.ranker import Ranker
from schemas.keys import score_key, text_hash
from schemas.records import FeatureRecord
from storage.scores import ScoreCache


class CachedScorer:
    """A `Ranker` that asks the one it wraps only for what the cache has not got, in one call a query.

    All scores of one answer are of one model: if the model's name changes under a call, all are asked anew.
    """

    def __init__(self, ranker: Ranker, cache: ScoreCache) -> None:
        self._ranker = ranker
        self._cache = cache

    @property
    def model(self) -> str:
        """See `Ranker`."""
        return self._ranker.model

    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        """See `Ranker`; raises as the wrapped one does. A failing cache only costs calls."""
        model = self._ranker.model
        keys = self._keys(model, query, items)
        known = dict(zip(keys, self._cache.get_many(keys), strict=True))
        missing = {key: item for key, item in zip(keys, items, strict=True) if known[key] is None}
        if missing:
            scores = self._ranker.score_many(query, list(missing.values()), deadline_s)
            if self._ranker.model != model:
                keep = self._keys(self._ranker.model, query, list(missing.values()))
                self._cache.put_many(list(zip(keep, scores, strict=True)))
                return self.score_many(query, items, deadline_s)
            found = dict(zip(missing, scores, strict=True))
            self._cache.put_many(list(found.items()))
            known.update(found)
        return [score for key in keys if (score := known[key]) is not None]

    def peek_many(self, query: str, items: Sequence[Item]) -> list[float | None]:
        """What the cache holds under the ranker's present name, for explain."""
        return self._cache.get_many(self._keys(self._ranker.model, query, items))

    def _keys(self, model: str, query: str, items: Sequence[Item]) -> list[bytes]:
        asked = query_hash(query)
        return [score_key(model, asked, prompt_hash(item)) for item in items]


def item_of(feature: FeatureRecord) -> Item:
    """What the ranker reads of a posting: metadata and summary."""
    return Item(
        title=feature.title,
        company=feature.company,
        location=feature.location,
        employment_type=feature.employment_type,
        remote=feature.remote,
        text=feature.summary,
    )


@lru_cache(maxsize=4_096)
def prompt_hash(item: Item) -> bytes:
    """16 bytes over equation (1)'s item; decides rescoring (semantics page)."""
    return text_hash(f"{PROMPT_VERSION}\n{item_text(item)}")


@lru_cache(maxsize=4_096)
def query_hash(query: str) -> bytes:
    """16 bytes over equation (1)'s shared prefix."""
    return text_hash(f"{PROMPT_VERSION}\n{query_text(query)}")
