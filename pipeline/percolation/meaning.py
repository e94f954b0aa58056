"""Whether a posting means what a saved search asks for: the exact similarity of their vectors."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.filters import filters_pass
from pipeline.match import match_score, passes
from schemas.records import FeatureRecord, SavedSearch, ScoreRequest

WIRE = np.dtype("<f2")
"""A vector's numbers as they are stored and sent (models/vectors.py)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryVector:
    """A saved search's vector, the embedder that made it, and how similar a posting's vector must be at least."""

    model: str
    vector: bytes
    threshold: float


def query_vector(search: SavedSearch, model: str, vector: bytes, similarity: float) -> QueryVector | None:
    """A search's vector with the threshold that the search names, else `similarity`; None for a query without one."""
    if not vector:
        return None
    named = search.semantic_threshold
    return QueryVector(model=model, vector=vector, threshold=similarity if named is None else named)


def exact_similarities(queries: NDArray[np.float16], postings: NDArray[np.float16]) -> NDArray[np.float64]:
    """The dot product of each two rows, from -1 to 1.

    Products of two float16 are whole multiples of 2^-48, and those of two unit vectors add up to 1 at most: float64
    holds each sum exactly, whatever the order of adding. So a batch, a single pair and another machine agree to the
    last bit.
    """
    return np.asarray(np.einsum("ij,ij->i", queries, postings, dtype=np.float64))


def usable(vector: bytes) -> bool:
    """Whether bytes are a vector that can be compared: whole numbers of it, all finite and not all zero."""
    if not vector or len(vector) % WIRE.itemsize:
        return False
    numbers = np.frombuffer(vector, WIRE)
    return bool(np.isfinite(numbers).all() and numbers.any())


def comparable(query: QueryVector, feature: FeatureRecord) -> bool:
    """Whether search and posting have vectors of one embedder and one width; else their words are compared."""
    return (
        query.model == feature.vector_model
        and len(query.vector) == len(feature.vector)
        and usable(query.vector)
        and usable(feature.vector)
    )


def similarity(query: QueryVector, feature: FeatureRecord) -> float:
    """The exact similarity of a comparable pair."""
    a, b = (np.frombuffer(vector, WIRE)[None] for vector in (query.vector, feature.vector))
    return float(exact_similarities(a, b)[0])


def query_of(request: ScoreRequest) -> QueryVector | None:
    """The vector that a score request carries; None if it has none."""
    if not request.query_vector:
        return None
    return QueryVector(
        model=request.query_model, vector=request.query_vector, threshold=request.least_similarity
    )


def with_query(request: ScoreRequest, query: QueryVector | None) -> ScoreRequest:
    """The request with the vector that its search has now."""
    if query is None:
        return request
    return replace(
        request, query_vector=query.vector, query_model=query.model, least_similarity=query.threshold
    )


def fit(search: SavedSearch, query: QueryVector | None, feature: FeatureRecord) -> tuple[bool, float]:
    """A key by which candidates that all fit are ordered, the best last: by vectors if comparable, else by words."""
    if query is None or not comparable(query, feature):
        return False, match_score(search, feature)
    return True, similarity(query, feature)


def fits(search: SavedSearch, query: QueryVector | None, feature: FeatureRecord) -> bool:
    """What makes a posting a candidate: the hard filters, and the vectors if they are comparable, else the words."""
    if query is None or not comparable(query, feature):
        return passes(search, feature)
    return similarity(query, feature) >= query.threshold and filters_pass(search, feature)
