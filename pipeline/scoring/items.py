"""What the ranker reads of a posting, and the score cache's keys over it."""

from collections.abc import Sequence
from functools import lru_cache

from models.prompts import PROMPT_VERSION, Item, item_text, query_text
from schemas.keys import score_key, score_prefix, text_hash
from schemas.records import FeatureRecord


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


def score_keys(model: str, scored_as: str, query: str, items: Sequence[Item]) -> list[bytes]:
    """The key of each item's score for the query, by a model that computes in this mode and arithmetic."""
    prefix, asked = _prefix(model, scored_as), query_hash(query)
    return [score_key(prefix, asked, prompt_hash(item)) for item in items]


@lru_cache(maxsize=64)
def _prefix(model: str, scored_as: str) -> bytes:
    return score_prefix(model, scored_as)


@lru_cache(maxsize=4_096)
def prompt_hash(item: Item) -> bytes:
    """16 bytes over equation (1)'s item; decides rescoring (docs/semantics.md#the-score-cache)."""
    return text_hash(f"{PROMPT_VERSION}\n{item_text(item)}")


@lru_cache(maxsize=4_096)
def query_hash(query: str) -> bytes:
    """16 bytes over equation (1)'s shared prefix."""
    return text_hash(f"{PROMPT_VERSION}\n{query_text(query)}")
