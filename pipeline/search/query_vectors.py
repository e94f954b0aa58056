"""Vectors of queries: kept for a while, and an embedder that is away is left alone for some seconds."""

import time
from collections.abc import Callable
from typing import NamedTuple

from cachebox import LRUCache

from models.embedder import Embedder
from schemas.errors import ModelError, ModelUnavailable

#: Queries whose vectors are kept, about 1 KB each.
KEPT = 4_096
#: After a failed call the next one is made so much later: a search must not wait for an embedder that is down.
PAUSE_S = 5.0


class QueryVector(NamedTuple):
    """A vector (`models/vectors.py`), b"" where the model gives none, and the name of its model."""

    model: str
    vector: bytes


class QueryVectors:
    """Asks an embedder for one query's vector at a time; several threads may call it. `clock` is monotonic."""

    def __init__(self, embedder: Embedder, clock: Callable[[], float] = time.monotonic) -> None:
        self._embedder, self._clock = embedder, clock
        self._kept: LRUCache[str, QueryVector] = LRUCache(KEPT)
        self._resumes_at = -float("inf")
        self._why = ""

    def of(self, query: str, deadline_s: float) -> QueryVector:
        """The query's vector; ModelUnavailable while the embedder is away, ModelRejected for a query it refuses."""
        kept = self._kept.get(query)
        if kept is not None and kept.model == self._embedder.model:
            return kept
        if self._clock() < self._resumes_at:
            raise ModelUnavailable(self._why)
        try:
            (vector,) = self._embedder.embed_queries([query], deadline_s)
        except ModelUnavailable as error:
            self._resumes_at, self._why = self._clock() + PAUSE_S, str(error)
            raise
        made = QueryVector(self._embedder.model, vector)
        self._kept.insert(query, made)
        return made


def vector_or_why(
    vectors: QueryVectors | None, query: str, deadline_s: float
) -> tuple[QueryVector | None, str]:
    """A query's vector, None without an embedder; and why there is none although there is an embedder, else ""."""
    if vectors is None:
        return None, ""
    try:
        return vectors.of(query, deadline_s), ""
    except ModelError as error:
        return None, str(error)
