"""Words, vectors and filters of the search index, each against the plain way of computing the same."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.filters import FILTERS, filters_pass
from pipeline.search.columns import FilterColumn
from pipeline.search.fusion import fused
from pipeline.search.lexical import K1, B, TermIndex
from pipeline.search.scan import scan
from pipeline.search.vectors import VectorTable
from tests.pipeline.builders import feature, search

WORDS = ("nurse", "night", "berlin", "clerk", "remote")
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=6), min_size=1, max_size=12)


def plain_bm25(texts: dict[int, list[str]], query: list[str], row: int) -> float:
    """Lucene's BM25, word by word."""
    average = sum(map(len, texts.values())) / len(texts)
    total = 0.0
    for word in set(query):
        holding = sum(word in text for text in texts.values())
        count = texts[row].count(word)
        if count:
            idf = np.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
            total += idf * count / (count + K1 * (1 - B + B * len(texts[row]) / average))
    return total


@settings(max_examples=60)
@given(TEXTS, st.lists(st.sampled_from(WORDS), min_size=1, max_size=3), st.data())
def test_bm25_is_that_of_the_rows_that_are_held_now(
    texts: list[list[str]], query: list[str], data: st.DataObject
) -> None:
    index, held = TermIndex(), dict(enumerate(texts))
    for row, text in held.items():
        index.put(row, Counter(text))
    for row in data.draw(st.sets(st.sampled_from(range(len(texts))), max_size=len(texts) - 1)):
        index.drop(row)
        del held[row]
    again = next(iter(held))
    index.drop(again)
    held[again] = ["nurse", "clerk"]
    index.put(again, Counter(held[again]))

    scores = index.scores(set(query), len(texts))

    for row in range(len(texts)):
        expected = plain_bm25(held, query, row) if row in held else 0.0
        assert scores[row] == pytest.approx(expected, abs=1e-5)


def test_bm25_agrees_with_the_library_bm25s() -> None:
    bm25s = pytest.importorskip("bm25s")
    rng = np.random.default_rng(3)
    texts = [[f"w{n}" for n in rng.zipf(1.5, 12) if n < 50] or ["w1"] for _ in range(80)]
    theirs = bm25s.BM25(method="lucene", k1=K1, b=B)
    theirs.index(texts, show_progress=False)
    ours = TermIndex()
    for row, text in enumerate(texts):
        ours.put(row, Counter(text))
    for query in (["w1"], ["w2", "w7"], ["w1", "w3", "w40"]):
        known = [word for word in query if any(word in text for text in texts)]
        assert ours.scores(set(query), len(texts)) == pytest.approx(theirs.get_scores(known), abs=1e-4)


def unit(rng: np.random.Generator, rows: int, width: int) -> NDArray[np.float32]:
    made = rng.normal(size=(rows, width)).astype(np.float32)
    lengths: NDArray[np.float32] = np.linalg.norm(made, axis=1, keepdims=True)
    return made / lengths


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**31),
    st.integers(1, 400),
    st.sampled_from([8, 64, 256]),
    st.integers(1, 30),
    st.floats(0, 1),
)
def test_nearest_is_that_of_comparing_every_vector_exactly(
    seed: int, rows: int, width: int, most: int, share: float
) -> None:
    rng = np.random.default_rng(seed)
    vectors = unit(rng, rows, width).astype(np.float16)
    vectors[rng.random(rows) < 0.2] = vectors[0]  # equal ones
    table = VectorTable(width)
    for row, vector in enumerate(vectors):
        table.put(row, vector)
    gone = rng.random(rows) < 0.1
    for row in np.flatnonzero(gone):
        table.drop(int(row))
    allowed = rng.random(rows) < share
    query = unit(rng, 1, width)[0]

    found, similar = table.nearest(query, allowed, most)

    possible = np.flatnonzero(allowed & ~gone)
    exact = vectors[possible].astype(np.float32) @ query
    order = np.lexsort((possible, -exact))[:most]
    np.testing.assert_allclose(similar, exact[order], atol=1e-6)
    # products of equal vectors differ in their last bit with the shape of the matrix
    assert set(found) <= set(possible[exact >= exact[order].min(initial=2.0) - 1e-6])
    assert len(set(found.tolist())) == len(order)


def test_a_scan_gives_the_whole_numbers_of_the_products() -> None:
    rng = np.random.default_rng(1)
    rows = rng.integers(-127, 128, (5000, 256), dtype=np.int8)
    assert (scan(rows[7], rows) == rows.astype(np.int64) @ rows[7]).all()
    assert not len(scan(rows[7], rows[:0]))


def test_a_vector_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="8 numbers in a table of 4"):
        VectorTable(4).put(0, np.zeros(8, np.float16))


PLACES = ("Berlin", "Leeds, UK", "Remote", None)
ASKED = (None, "Berlin", "UK")


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(PLACES), st.sampled_from(("remote", "onsite", None))),
        min_size=1,
        max_size=9,
    ),
    st.sampled_from(ASKED),
    st.sampled_from((None, True, False)),
)
def test_columns_let_through_what_the_filters_let_through(
    postings: list[tuple[str | None, str | None]], location: str | None, remote: bool | None
) -> None:
    columns = [FilterColumn(one) for one in FILTERS]
    asked = search("nurse", location=location, remote=remote)
    records = [feature(location=place, remote=form) for place, form in postings]
    for row, record in enumerate(records):
        narrowed = np.ones(row + 1, np.bool_)
        for column in columns:
            column.put(row, record)
            narrowed = column.narrow(asked, narrowed)  # also while values come in
    assert narrowed.tolist() == [filters_pass(asked, one) for one in records]


def test_a_row_that_is_in_both_orders_comes_first() -> None:
    assert list(fused([[5, 3], [4, 3]])) == [3, 4, 5]
    assert list(fused([[], []])) == []
