"""Figures of retrieval: recall, the ranker's order, candidates by a threshold, and what stands in no ranking."""

from collections.abc import Sequence

import numpy as np
import pytest

from models.embedder import HashingEmbedder
from models.prompts import Item
from training.components.arrays import Floats
from training.embedder.retrieval.figures import above, ranked_ndcg, recall, reranked_ndcg, threshold_for
from training.embedder.retrieval.report import candidate_rows, figure_rows, markdown
from training.embedder.retrieval.retrievers import Postings, bm25, embedder, fused, half_of_words
from training.embedder.retrieval.sets import RetrievalSet
from training.evaluation.settings import BootstrapConfig

FOUND = RetrievalSet(
    domain="general",
    name="trained",
    queries=("nurse nights", "plumber"),
    grades_QN=np.array([[4, 3, 0, -1], [0, 0, 4, 1]], dtype=np.int8),
)
SCORES = np.array([[0.9, 0.1, 0.5, 1.0], [0.2, 0.1, 0.8, 0.3]], dtype=np.float32)


def _item(title: str, text: str) -> Item:
    return Item(title=title, company=None, location=None, employment_type=None, remote=None, text=text)


POSTINGS = Postings(
    whole=(_item("Nurse", "nights on a ward"), _item("Plumber", "boilers, a van"), _item("Cook", "lunch")),
    summarized=(_item("Nurse", "nights"), _item("Plumber", "a van"), _item("Cook", "")),
)


def test_recall_is_of_the_relevant_and_unknown_pairs_take_no_place() -> None:
    np.testing.assert_allclose(recall(SCORES, FOUND, 2), [0.5, 1.0])
    np.testing.assert_allclose(recall(SCORES, FOUND, 1), [1.0, 1.0])
    np.testing.assert_allclose(recall(SCORES, FOUND, 3), [1.0, 1.0])


def test_ndcg_is_that_of_the_rankers_order_over_all_grades() -> None:
    def rerank(query: str, rows: Sequence[int]) -> Floats:
        del query
        return np.array([-row for row in rows], dtype=np.float64)

    assert reranked_ndcg(SCORES, FOUND, 3, rerank)[0] == pytest.approx(1.0)
    assert reranked_ndcg(SCORES, FOUND, 2, rerank)[0] < 1.0
    assert ranked_ndcg(SCORES, FOUND)[1] == pytest.approx(1.0)


def test_a_threshold_leaves_no_more_candidates_than_asked() -> None:
    scores = np.array([0.9, 0.5, 0.5, 0.1], dtype=np.float32)
    for most, expected in ((0, 0), (1, 1), (2, 1), (3, 3), (4, 4), (9, 4)):
        assert (scores >= threshold_for(scores, most)).sum() == expected
    assert above(SCORES, FOUND, 0.5) == (3, 2, 3)


@pytest.mark.parametrize("retrieve", [bm25(whole=True), bm25(whole=False), embedder(HashingEmbedder())])
def test_each_retriever_finds_the_posting_of_its_words(retrieve: object) -> None:
    assert callable(retrieve)
    scores = retrieve(["nurse", "plumber van", "cook"], POSTINGS)
    assert scores.shape == (3, 3)
    assert scores.argmax(axis=1).tolist() == [0, 1, 2]


def test_fusion_takes_both_orders_and_the_matcher_half_of_the_words() -> None:
    parts = [bm25(whole=True), embedder(HashingEmbedder())]
    assert fused(parts)(["plumber with a van"], POSTINGS).argmax() == 1
    assert half_of_words(["nurse nights", "van boilers cook"], POSTINGS).tolist() == [[1, 0, 0], [0, 0, 0]]


def test_a_report_has_all_systems_and_the_matchers_candidates() -> None:
    values = {"embedder": np.array([0.5, 1.0]), "bm25": np.array([0.2, 0.9])}
    rows = figure_rows(values, BootstrapConfig(resamples=100))
    assert rows["bm25"]["minus_first"]["mean"] == pytest.approx(-0.2)
    matched = np.array([[1, 1, 1, 0], [0, 1, 1, 1]], dtype=np.float32)
    candidates = candidate_rows([FOUND], [SCORES], [matched], threshold=0.5)
    assert candidates["matcher"] == {"candidates": 6, "relevant": 3, "recall": 1.0}
    assert candidates["card"]["recall"] == pytest.approx(2 / 3)
    one = {"domain": "general", "name": "trained", "queries": 2, "figures": {"recall": rows}}
    page = markdown(
        {
            "figures": {"recall": "recall@100"},
            "retrievers": ["embedder", "bm25"],
            "sets": [one],
            "candidates": {"trained": candidates},
        }
    )
    assert "| general, trained | 2 | 0.750 | 0.550 (-0.200" in page
    assert "| trained: matcher | 6 | 3 | 1.000 |" in page
