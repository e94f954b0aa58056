"""Scores through the cache: the same protocol as the ranker that it wraps."""

from collections.abc import Sequence
from functools import lru_cache

from typing_extensions import override

from models.prompts import PROMPT_VERSION, Item, item_text, query_text
from models.ranker import Ranker
from schemas.keys import score_key, text_hash
from schemas.records import FeatureRecord
from storage.scores import ScoreCache


class CachedScorer(Ranker):
    """A `Ranker` that asks the one it wraps only for what the cache has not got, in one call a query.

    All scores of one answer are of one model: if the model's name changes under a call, all are asked anew.
    """

    def __init__(self, ranker: Ranker, cache: ScoreCache) -> None:
        self._ranker = ranker
        self._cache = cache

    @property
    @override
    def model(self) -> str:
        return self._ranker.model

    @override
    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        """Raises what the wrapped ranker raises; a failing cache costs calls of the model, nothing else."""
        model = self._ranker.model
        keys = self._keys(model, query, items)
        known = dict(zip(keys, self._cache.get_many(keys), strict=True))
        missing = {key: item for key, item in zip(keys, items, strict=True) if known[key] is None}
        if missing:
            known.update(self._ask(query, missing, deadline_s))
            if self._ranker.model != model:
                # what the cache gave is another model's: one more call, for everything
                return self._ranker.score_many(query, items, deadline_s)
        return [score for key in keys if (score := known[key]) is not None]

    def peek_many(self, query: str, items: Sequence[Item]) -> list[float | None]:
        """What the cache holds under the ranker's present name, for explain."""
        return self._cache.get_many(self._keys(self._ranker.model, query, items))

    def _ask(self, query: str, missing: dict[bytes, Item], deadline_s: float) -> dict[bytes, float]:
        """Scores under the keys of `missing`; the cache gets them under the name that answered."""
        items = list(missing.values())
        scores = self._ranker.score_many(query, items, deadline_s)
        self._cache.put_many(list(zip(self._keys(self._ranker.model, query, items), scores, strict=True)))
        return dict(zip(missing, scores, strict=True))

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
    """16 bytes over equation (1)'s item; decides rescoring (docs/semantics.md#the-score-cache)."""
    return text_hash(f"{PROMPT_VERSION}\n{item_text(item)}")


@lru_cache(maxsize=4_096)
def query_hash(query: str) -> bytes:
    """16 bytes over equation (1)'s shared prefix."""
    return text_hash(f"{PROMPT_VERSION}\n{query_text(query)}")
