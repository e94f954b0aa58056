"""A ranker behind a score cache, with the protocol of the ranker that it wraps."""

from collections.abc import Sequence
from functools import lru_cache

from typing_extensions import override

from models.prompts import PROMPT_VERSION, Item, item_text, query_text
from models.ranker import Ranker
from schemas.keys import score_key, text_hash
from schemas.records import FeatureRecord
from storage.scores import ScoreCache


class CachedScorer(Ranker):
    """A `Ranker` that asks another one for the scores that the cache does not have, in one call a query.

    All scores of one result are of one model: if the model's name changes during a call, all items are scored again.
    """

    def __init__(self, ranker: Ranker, cache: ScoreCache) -> None:
        self._ranker = ranker
        self._cache = cache

    @property
    @override
    def model(self) -> str:
        """The wrapped ranker's name, also when all scores came from the cache."""
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
                # the scores from the cache are another model's: score all items again
                return self._ranker.score_many(query, items, deadline_s)
        return [score for key in keys if (score := known[key]) is not None]

    def peek_many(self, query: str, items: Sequence[Item]) -> list[float | None]:
        """The scores that the cache has for the ranker's present model, for `nearline explain`; calls no model."""
        return self._cache.get_many(self._keys(self._ranker.model, query, items))

    def _ask(self, query: str, missing: dict[bytes, Item], deadline_s: float) -> dict[bytes, float]:
        """Score the missing items, by their keys; the cache stores them under the model that answered."""
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
