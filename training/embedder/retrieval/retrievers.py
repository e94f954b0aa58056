"""What retrieves: scores of every query with every posting of a set. Q queries, N postings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from models.embedder import Embedder
from models.prompts import Item, embedder_input
from models.vectors import unpack
from pipeline.terms import terms
from schemas.clean import clean
from training.components.arrays import Singles
from training.evaluation.baselines.bm25 import ANSERINI, words
from training.evaluation.baselines.texts import full_text
from training.judging.word_index import WordIndex

Encode = Callable[[Sequence[str]], Singles]
Made = TypeVar("Made")
NO_DEADLINE = 3600.0
FUSION_PLACE = 60
"""The constant of reciprocal rank fusion, which keeps the first ranks from deciding alone."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Postings:
    """The postings of a set: whole, and with a summary in the place of the text, as the store has them."""

    whole: tuple[Item, ...]
    summarized: tuple[Item, ...]


Retrieve = Callable[[Sequence[str], Postings], Singles]
"""Queries and postings to scores [Q, N]; higher is better."""


def once(make: Callable[[Postings], Made]) -> Callable[[Postings], Made]:
    """What `make` makes of the latest postings, kept for the sets of queries that are asked over the same ones."""
    kept: list[tuple[Postings, Made]] = []

    def made(postings: Postings) -> Made:
        if not kept or kept[0][0] is not postings:
            kept[:] = [(postings, make(postings))]
        return kept[0][1]

    return made


def bm25(*, whole: bool) -> Retrieve:
    """BM25 on title, metadata and the full text, or on the summary in its place."""

    @once
    def index(postings: Postings) -> WordIndex:
        items = postings.whole if whole else postings.summarized
        return WordIndex([words(full_text(item)) for item in items], ANSERINI)

    def retrieve(queries: Sequence[str], postings: Postings) -> Singles:
        known = index(postings)
        return np.stack([known.scores(words(query)) for query in queries]).astype(np.float32)

    return retrieve


def bi_encoder(encode: Encode, *, whole: bool) -> Retrieve:
    """Cosines of a sentence encoder on title, metadata and the full text as far as it reads, or on the summary."""

    def retrieve(queries: Sequence[str], postings: Postings) -> Singles:
        items = postings.whole if whole else postings.summarized
        asked, found = (
            encode([clean(query) for query in queries]),
            encode([full_text(item) for item in items]),
        )
        scores: Singles = asked @ found.T
        return scores

    return retrieve


def embedder(model: Embedder) -> Retrieve:
    """Cosines of an embedder's vectors as the store and the wire have them; a text without a vector has cosine 0."""

    @once
    def vectors(postings: Postings) -> Singles:
        texts = [embedder_input(item) for item in postings.summarized]
        return _rows(model.embed_postings(texts, NO_DEADLINE), model.width)

    def retrieve(queries: Sequence[str], postings: Postings) -> Singles:
        asked = _rows(model.embed_queries(list(queries), NO_DEADLINE), model.width)
        scores: Singles = asked @ vectors(postings).T
        return scores

    return retrieve


def fused(parts: Sequence[Retrieve]) -> Retrieve:
    """Reciprocal rank fusion: each part gives a posting one over its rank plus FUSION_PLACE."""

    def retrieve(queries: Sequence[str], postings: Postings) -> Singles:
        total = np.zeros((len(queries), len(postings.whole)), np.float32)
        for part in parts:
            scores = part(queries, postings)
            ranks = np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1)
            total += np.where(scores > 0, 1 / (FUSION_PLACE + 1 + ranks), 0).astype(np.float32)
        return total

    return retrieve


def half_of_words(queries: Sequence[str], postings: Postings) -> Singles:
    """1 where the lexical matcher makes a candidate of a pair: half of the query's terms stand in what it reads."""
    posted = [terms(_matched_text(item)) for item in postings.summarized]
    scores = np.zeros((len(queries), len(posted)), np.float32)
    for row, query in enumerate(queries):
        wanted = terms(clean(query))
        needed = (len(wanted) + 1) // 2
        scores[row] = [len(wanted & have) >= needed for have in posted]
    return scores


def _matched_text(item: Item) -> str:
    fields = (item.title, item.company, item.location, item.employment_type, item.remote, item.text)
    return " ".join(field for field in fields if field)


def summarized(items: Sequence[Item], summaries: Sequence[str]) -> Postings:
    """Postings and their summaries."""
    return Postings(
        whole=tuple(items),
        summarized=tuple(replace(item, text=text) for item, text in zip(items, summaries, strict=True)),
    )


def _rows(vectors: Sequence[bytes], width: int) -> Singles:
    nothing = bytes(2 * width)
    return unpack([vector or nothing for vector in vectors], width)
