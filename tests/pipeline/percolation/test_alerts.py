"""The alert step applies the condition that a score request carries to the record as it is then."""

from dataclasses import replace

import numpy as np
import pytest

from models.vectors import pack
from pipeline.alert import Fate, fate_of
from pipeline.percolation.meaning import QueryVector, fit, query_of, with_query
from schemas.codec import decode, encode
from schemas.records import SavedSearch, ScoreRequest
from tests.pipeline.builders import feature, search

NEAR, FAR = pack(np.array([[1.0, 0.1], [0.1, 1.0]]))
QUERY = QueryVector(model="embedder@1", vector=pack(np.array([[1.0, 0.0]]))[0], threshold=0.5)
NURSE = search("nurse", remote=True)


def fate(vector: bytes, model: str = "embedder@1", query: QueryVector | None = QUERY, **fields: str) -> Fate:
    record = feature(vector=vector, vector_model=model, **fields)
    return fate_of(NURSE, 1, record, query)


def test_a_candidate_found_by_its_vector_needs_none_of_the_words() -> None:
    assert fate(NEAR, title="Paediatric ward") is Fate.ALERTED
    assert fate(NEAR, title="Paediatric ward", query=None) is Fate.FILTERED


def test_a_record_whose_newer_vector_is_too_far_away_is_filtered_whatever_its_words() -> None:
    assert fate(FAR, title="Nurse") is Fate.FILTERED


def test_the_hard_filters_hold_for_vectors_too() -> None:
    assert fate(NEAR, title="Nurse", remote="onsite") is Fate.FILTERED


@pytest.mark.parametrize(("vector", "model"), [(b"", ""), (NEAR, "embedder@2"), (NEAR[:2], "embedder@1")])
def test_words_decide_where_no_vectors_can_be_compared(vector: bytes, model: str) -> None:
    assert fate(vector, model, title="Nurse") is Fate.ALERTED
    assert fate(vector, model, title="Welder") is Fate.FILTERED


def test_under_overload_similar_postings_go_before_those_with_more_words() -> None:
    near = feature(vector=NEAR, vector_model="embedder@1", title="Paediatric ward")
    far = feature(vector=FAR, vector_model="embedder@1", title="Nurse")
    words = feature(title="Nurse", summary="nurse")
    assert fit(NURSE, QUERY, near) > fit(NURSE, QUERY, far) > fit(NURSE, QUERY, words)


def test_a_request_keeps_the_vector_on_its_way() -> None:
    request = ScoreRequest(search=SavedSearch(search_id="s", query="nurse"), candidates=(), created_ms=1)
    assert query_of(request) is None
    assert with_query(request, None) == request
    sent = decode(ScoreRequest, encode(with_query(request, QUERY)))
    assert query_of(sent) == QUERY
    assert query_of(replace(sent, query_vector=b"")) is None
