"""The percolator against the plain definition of a pair, `meaning.fits`, whatever was put and dropped before."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.vectors import pack
from pipeline.match import ready
from pipeline.percolation.meaning import QueryVector, comparable, fits, similarity
from pipeline.percolation.percolator import Percolator
from pipeline.percolation.rows import BATCH
from schemas.records import FeatureRecord, SavedSearch, State
from tests.pipeline.builders import feature, search

WIDTH = 8
MODELS = ("embedder@1", "embedder@2")
_words = st.lists(st.sampled_from(["nurse", "ward", "night", "driver", "truck", "the", "é"]), max_size=12)
_POOL = np.random.default_rng(1).standard_normal((30, WIDTH)) ** 3
_vectors = st.sampled_from(pack(np.concatenate((_POOL, np.eye(WIDTH), -np.eye(WIDTH)))))
_queries = st.builds(
    QueryVector,
    model=st.sampled_from(MODELS),
    vector=_vectors,
    threshold=st.sampled_from([-1.0, 0.0, 0.25, 0.9]),
)
_searches = st.builds(
    SavedSearch,
    search_id=st.sampled_from([f"s{n}" for n in range(8)]),
    query=_words.map(" ".join),
    location=st.sampled_from([None, "Leeds", "Oslo", "UK"]),
    remote=st.sampled_from([None, True, False]),
    employment_type=st.sampled_from([None, "full-time", "contract"]),
    must_not=st.sampled_from([(), ("night",), ("truck", "ward")]),
    radius_km=st.sampled_from([0.0, 300.0]),
    pay_from=st.sampled_from([None, "15 GBP per hour", "40,000 GBP per year"]),
)
_postings = st.builds(
    feature,
    title=_words.map(" ".join),
    location=st.sampled_from([None, "Leeds, UK", "London", "Remote"]),
    remote=st.sampled_from([None, "remote", "onsite"]),
    employment_type=st.sampled_from([None, "Full Time", "contract or part-time"]),
    salary=st.sampled_from([None, "12 GBP per hour", "50,000 GBP per year"]),
    state=st.sampled_from([State.OPEN, State.OPEN, State.OPEN, State.CLOSED]),
    vector=_vectors | st.just(b""),
    vector_model=st.sampled_from(MODELS),
)
_edits = st.lists(st.tuples(_searches, st.none() | st.just("drop") | _queries), max_size=30)

Held = dict[str, tuple[SavedSearch, QueryVector | None]]


def edited(edits: Sequence[tuple[SavedSearch, QueryVector | str | None]]) -> tuple[Percolator, Held]:
    percolator, held = Percolator(segment=3), Held()
    for one, query in edits:
        if isinstance(query, str):
            percolator.drop_search(one.search_id)
            held.pop(one.search_id, None)
        else:
            percolator.put_search(one, query)
            held[one.search_id] = (one, query)
    assert len(percolator) == len(held)
    return percolator, held


def expect(percolator: Percolator, held: Held, postings: Sequence[FeatureRecord]) -> None:
    """What a batch finds is, pair for pair, what `fits` says, the most similar search first."""
    for posting, found in zip(postings, percolator.match_many(postings), strict=True):
        fitting = {i: q for i, (s, q) in held.items() if ready(posting) and fits(s, q, posting)}
        near = {i: similarity(q, posting) for i, q in fitting.items() if q and comparable(q, posting)}
        assert {one.search_id: value for one, value in found.similar} == near
        assert [value for _, value in found.similar] == sorted(near.values(), reverse=True)
        assert sorted(one.search_id for one in found.worded) == sorted(fitting.keys() - near.keys())
        assert all(held[one.search_id][0] == one for one in found.searches())


@pytest.mark.timeout(120)
@given(_edits, st.lists(_postings, max_size=5), st.lists(_postings, max_size=5))
@settings(max_examples=80, deadline=None)
def test_batches_find_what_the_plain_definition_finds(
    edits: list[tuple[SavedSearch, QueryVector | str | None]],
    postings: list[FeatureRecord],
    later: list[FeatureRecord],
) -> None:
    percolator, held = edited(edits)
    expect(percolator, held, postings)
    again, _ = edited([*edits, *edits[:5]])
    for one, query in edits[:5]:
        if isinstance(query, str):
            percolator.drop_search(one.search_id)
            held.pop(one.search_id, None)
        else:
            percolator.put_search(one, query)
            held[one.search_id] = (one, query)
    expect(percolator, held, later)
    expect(again, held, later)


@given(st.lists(_vectors, min_size=1, max_size=20), st.lists(_vectors, min_size=1, max_size=70))
@settings(max_examples=40, deadline=None)
def test_a_pair_at_its_threshold_is_found_and_one_an_ulp_below_is_not(
    wanted: list[bytes], posted: list[bytes]
) -> None:
    postings = [feature(vector=vector, vector_model=MODELS[0]) for vector in posted]
    percolator, held = Percolator(), Held()
    for number, vector in enumerate(wanted):
        query = QueryVector(model=MODELS[0], vector=vector, threshold=0.0)
        at = (
            similarity(query, postings[number % len(postings)])
            if vector and posted[number % len(posted)]
            else 0.0
        )
        for name, threshold in (("at", at), ("above", float(np.nextafter(at, 2)))):
            one = search("nurse", search_id=f"{name}{number}")
            held[one.search_id] = (one, QueryVector(model=MODELS[0], vector=vector, threshold=threshold))
            percolator.put_search(*held[one.search_id])
    expect(percolator, held, postings)


def test_many_searches_of_real_width_in_several_segments_equal_brute_force() -> None:
    random = np.random.default_rng(3)
    count, width = 700, 256
    wanted, posted = random.standard_normal((count, width)), random.standard_normal((BATCH + 6, width))
    posted[: BATCH // 2] += wanted[: BATCH // 2] * 0.5
    queries, vectors = pack(wanted), pack(posted)
    percolator = Percolator(segment=256)
    for number, vector in enumerate(queries):
        percolator.put_search(
            search("nurse", search_id=f"s{number}", remote=bool(number % 2) or None),
            QueryVector(model="m", vector=vector, threshold=0.2),
        )
    for number in range(0, count, 3):
        percolator.drop_search(f"s{number}")
    postings = [feature(vector=vector, vector_model="m", remote="onsite") for vector in vectors]
    exact = _wide(queries) @ _wide(vectors).T
    found = percolator.match_many(postings)
    for place, matches in enumerate(found):
        pairs = {
            f"s{n}": exact[n, place] for n in np.flatnonzero(exact[:, place] >= 0.2) if n % 3 and not n % 2
        }
        assert {one.search_id: value for one, value in matches.similar} == pairs
        assert not matches.worded
    assert sum(map(len, found)) > BATCH // 4


def _wide(vectors: Sequence[bytes]) -> NDArray[np.float64]:
    wide: NDArray[np.float64] = np.stack([np.frombuffer(vector, "<f2") for vector in vectors]).astype(
        np.float64
    )
    return wide


def test_vectors_of_another_model_or_width_are_never_compared() -> None:
    percolator = Percolator()
    vector, longer = pack(np.eye(1, WIDTH))[0], pack(np.eye(1, 2 * WIDTH))[0]
    percolator.put_search(search("nurse"), QueryVector(model="m@1", vector=vector, threshold=0.0))
    for posted in (("m@2", vector), ("m@1", longer), ("m@1", b""), ("m@1", vector[:-1]), ("m@1", bytes(16))):
        posting = feature(title="Nurse", vector_model=posted[0], vector=posted[1])
        (found,) = percolator.match_many([posting])
        assert not found.similar
        assert [one.query for one in found.worded] == ["nurse"]


def test_a_search_that_takes_everything_and_one_of_ten_thousand_letters_stand_beside_others() -> None:
    percolator, held = edited([])
    long = " ".join(f"w{number}" for number in range(2_000))
    for name, query in (("all", ""), ("long", long), ("short", "w1"), ("nine", "a1 a2 a3 a4 a5 a6 a7 a8 a9")):
        held[name] = (search(query, search_id=name), None)
        percolator.put_search(*held[name])
    texts = (
        "w1",
        long,
        " ".join(long.split()[:1_000]),
        " ".join(long.split()[:999]),
        "a1 a2 a3 a4 a5",
        "a1 a2 a3 a4",
    )
    postings = [feature(title=text) for text in texts]
    expect(percolator, held, postings)
    assert [len(found) for found in percolator.match_many(postings)] == [2, 3, 3, 2, 2, 1]


def test_the_vector_of_a_search_is_the_one_it_was_put_with() -> None:
    queries = [
        QueryVector(model="m", vector=vector, threshold=number / 10)
        for number, vector in enumerate(pack(np.eye(6, WIDTH)))
    ]
    percolator = Percolator()
    for number, query in enumerate(queries):
        percolator.put_search(search("nurse", search_id=f"s{number}"), query)
    percolator.drop_search("s0")
    percolator.drop_search("s3")
    percolator.put_search(search("nurse", search_id="s4"))
    assert [percolator.vector_of(f"s{n}") for n in range(6)] == [
        None,
        queries[1],
        queries[2],
        None,
        None,
        queries[5],
    ]


def test_needs_other_than_half_of_the_words_can_be_asked_for() -> None:
    percolator = Percolator(needed=lambda words: words)
    percolator.put_search(search("night nurse on a ward"))
    texts = ("Night nurse, ward 5", "Night nurse")
    assert [len(found) for found in percolator.match_many([feature(title=text) for text in texts])] == [1, 0]
