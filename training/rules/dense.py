"""Nearest postings to a query by a small public sentence encoder (MiniLM), over titles and first words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from training.components.arrays import Singles
from training.evaluation.baselines.bi_encoder import BiEncoderConfig, SentenceEncoder
from training.judging.postings import PostingRow

FIRST_WORDS = 60
MAX_TOKENS = 96


def dense_over(postings: Sequence[PostingRow]) -> Callable[[str], Singles]:
    """A function from a query to the [N] cosines of all postings."""
    encoder = SentenceEncoder(BiEncoderConfig(max_tokens=MAX_TOKENS))
    texts = [f"{p.item.title} {' '.join(p.item.text.split()[:FIRST_WORDS])}" for p in postings]
    return partial(_cosines, encoder, encoder.encode(texts))


def _cosines(encoder: SentenceEncoder, items_ND: Singles, query: str) -> Singles:
    scores: Singles = items_ND @ encoder.encode([query])[0]
    return scores
