"""What the embedder learns from: losses that reward what they should, and batches whose labels are the teachers'."""

from collections.abc import Sequence
from random import Random
from zlib import crc32

import numpy as np
import pytest
import torch

from models.prompts import Item
from training.components.arrays import Singles
from training.embedder.batches import Drawer
from training.embedder.free_queries import FreeAsker
from training.embedder.losses import PairLoss, likeness
from training.embedder.model import space_of
from training.embedder.rule_queries import RuleAsker
from training.embedder.sources import DomainSource, view
from training.judging.policy import MATCHING, load_policy
from training.judging.postings import PostingRow
from training.rules.corpus import Corpus, all_evidence
from training.rules.lexicon.entries import lexicon
from training.synthetic.facts import SOFT_LABELS
from training.tiny.ranker.clause_index import WordingBank
from training.tiny.ranker.title_pool import Titles

GENERAL = lexicon("general")
TITLES = ("Barista", "Plumber", "Primary school teacher", "Warehouse operative")
SAID = (
    "Full-time; no weekends",
    "Training provided; a company car",
    "Weekend work; night shifts",
    "Term time only",
)


def encode(texts: Sequence[str]) -> Singles:
    """Bags of words as vectors of length 1."""
    found = np.zeros((len(texts), 384), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in text.lower().replace(";", "").split():
            found[row, crc32(word.encode()) % 384] += 1
    unit: Singles = found / (np.linalg.norm(found, axis=1, keepdims=True) + 1e-6)
    return unit


def _source(count: int = 48) -> DomainSource:
    rows = [
        PostingRow(
            posting_id=f"p{n}",
            item=Item(
                title=TITLES[n % 4],
                company=f"Company {n}",
                location="Leeds",
                employment_type=None,
                remote=None,
                text=SAID[n // 4 % 4],
            ),
            posted_at=None,
            source=None,
        )
        for n in range(count)
    ]
    phrases = [part for row in rows for part in row.item.text.split("; ")]
    counts = [len(row.item.text.split("; ")) for row in rows]
    return DomainSource(
        corpus=Corpus.of("train", GENERAL, rows, all_evidence(rows, GENERAL)),
        items=tuple(row.item for row in rows),
        titles=encode([row.item.title for row in rows]),
        phrases=tuple(phrases),
        phrase_vectors=encode(phrases),
        starts=np.cumsum([0, *counts]).astype(np.int64),
    )


@pytest.fixture(scope="module")
def source() -> DomainSource:
    return _source()


def _banks() -> tuple[WordingBank, WordingBank]:
    titles, skills = ("barista", "pipe fitter plumber", "school teacher"), ("night shifts", "weekend work")
    return (
        WordingBank(texts=titles, vectors=encode(titles)),
        WordingBank(texts=skills, vectors=encode(skills)),
    )


def test_the_right_order_costs_less_than_the_wrong_one() -> None:
    pairs = PairLoss()
    labels = torch.tensor([[0.97, 0.4, 0.02]])
    right, wrong = torch.tensor([[0.9, 0.6, 0.1]]), torch.tensor([[0.1, 0.6, 0.9]])
    for good, bad in zip(pairs(right, labels), pairs(wrong, labels), strict=True):
        assert good < bad


def test_a_pair_without_a_label_and_a_query_without_an_answer_count_for_nothing() -> None:
    pairs = PairLoss()
    cosines = torch.tensor([[0.9, 0.2, 0.5], [0.3, 0.3, 0.3]], requires_grad=True)
    labels = torch.tensor([[0.97, 0.02, float("nan")], [float("nan")] * 3])
    order, level = pairs(cosines, labels)
    (order + level).backward()
    assert torch.isfinite(order + level)
    gradient = cosines.grad
    assert gradient is not None
    assert gradient[0, 2] == 0
    assert not gradient[1].any()


def test_likeness_is_zero_where_vectors_agree() -> None:
    rows = torch.nn.functional.normalize(torch.randn(5, 8), dim=-1)
    assert float(likeness(rows, rows)) == pytest.approx(0, abs=1e-6)
    assert float(likeness(rows, -rows)) == pytest.approx(2, abs=1e-6)


def test_the_space_keeps_what_differs_most() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 8)).astype(np.float32) * np.array([9, 9, 1, 1, 0, 0, 0, 0], np.float32)
    space = space_of(vectors, width=2)
    assert space.of(vectors).shape == (200, 2)
    assert np.abs(space.directions_WD[:, :2]).sum() > 2.5
    np.testing.assert_allclose(np.linalg.norm(space.of(vectors), axis=1), 1, atol=1e-3)


def test_rules_grade_every_pair_of_a_batch(source: DomainSource) -> None:
    asked = RuleAsker(source, seed=1).batch(Random(1), 6)
    assert asked.labels_QP.shape == (len(asked.queries), len(asked.postings))
    assert len(set(asked.postings)) == len(asked.postings)
    known = asked.labels_QP[~np.isnan(asked.labels_QP)]
    assert set(np.round(known, 2).tolist()) <= {float(np.float32(one).round(2)) for one in SOFT_LABELS}
    assert (np.nanmax(asked.labels_QP, axis=1) >= SOFT_LABELS[3]).mean() > 0.5
    assert load_policy(MATCHING).name == "matching"


def test_free_queries_blend_the_rankers_scores_with_the_vectors(source: DomainSource) -> None:
    scored: list[tuple[str, Sequence[int]]] = []

    def score(queries: Sequence[str], rows: Sequence[Sequence[int]]) -> list[Singles]:
        scored.extend(zip(queries, rows, strict=True))
        return [np.ones(len(few), np.float32) for few in rows]

    asked = FreeAsker(source, _banks(), encode, score).batch(Random(2), 5)
    assert len(scored) == len(asked.queries) == 5
    for row, (_, few) in enumerate(scored):
        assert (asked.labels_QP[row, [asked.postings.index(at) for at in few]] >= 0.5).all()


def test_a_batch_teaches_minilms_vectors_of_what_it_read(source: DomainSource) -> None:
    banks = _banks()
    titles = [
        Titles(titles=("barista", "coffee maker"), related=(1,)),
        Titles(titles=("cook", "chef"), related=(0,)),
    ]
    space = space_of(np.concatenate([source.titles, source.phrase_vectors, banks[0].vectors]), width=16)
    drawer = Drawer(
        [source],
        banks,
        titles,
        space,
        encode,
        lambda _: lambda _, rows: [np.zeros(len(few), np.float32) for few in rows],
        queries=4,
        seed=1,
    )
    for number in range(12):
        batch = drawer(Random(number))
        assert batch.labels_QP.shape == (len(batch.queries), len(batch.postings))
        assert len(batch.rows) == len(batch.taught)
        assert batch.rows.max() < len(batch.queries) + len(batch.postings)
        assert batch.taught.shape[1] == 16


def test_a_view_says_whether_the_teacher_read_the_same(source: DomainSource) -> None:
    views = [view(Random(n), source, 0) for n in range(60)]
    assert {same for _, same in views} == {True, False}
    assert all(text.startswith("Title: Barista") for text, _ in views)
    assert {"Company: Company 0" in text for text, _ in views} == {True, False}
