"""Records get their vectors, and an embedder that is away keeps nothing from being written."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.prompts import EMBEDDER_CHARS, Item, embedder_input
from models.summarizer import InstantSummarizer
from models.vectors import width_of
from pipeline.embedding import CALL_TEXTS, VectorCounts, VectorMaker
from pipeline.featurize import Featurizer
from pipeline.refresh import Refresher, is_old, served_embedder
from schemas.backoff import Backoff
from schemas.codec import decode
from schemas.errors import ModelUnavailable
from schemas.records import NEVER, FeatureRecord, Op, Outcome, PostingUpdate
from schemas.vectors import has_vector
from storage.features import FeatureStore
from tests.pipeline.builders import FlakyEmbedder, FlakySummarizer, content, feature, memory, rows, update
from tests.schemas.histories import histories


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def maker(embedder: FlakyEmbedder, clock: Clock | None = None) -> VectorMaker:
    pauses = Backoff(first_s=1.0, longest_s=4.0)
    return VectorMaker(embedder, pauses=pauses, monotonic=clock or Clock())


def featurizer(store: FeatureStore, embedder: FlakyEmbedder, clock: Clock | None = None) -> Featurizer:
    return Featurizer(store, InstantSummarizer(), vectors=maker(embedder, clock))


def only(store: FeatureStore, posting_id: str = "p") -> FeatureRecord:
    (record,) = store.get_many([posting_id])
    assert record is not None
    return record


NURSE = update("p", 1, Op.ADD, content("Nurse", "wards at night"))


def test_a_record_has_a_vector_with_its_model_and_generation_and_is_sent_with_it() -> None:
    store = memory()
    (row,) = featurizer(store, FlakyEmbedder(model="hashing@3")).featurize(rows([NURSE]))
    record = only(store)
    assert (width_of(record.vector), record.vector_model, record.vector_generation) == (16, "hashing@3", 3)
    assert decode(FeatureRecord, row.value) == record


def test_only_a_change_of_title_metadata_or_summary_asks_the_embedder_again() -> None:
    store, embedder = memory(), FlakyEmbedder()
    work = featurizer(store, embedder)
    edits = [
        content("Nurse", "wards at night"),
        content("Nurse", "wards at night", salary="12"),
        content("Nurse", "wards at night", location="Leeds"),
        content("Nurse", "wards at day", location="Leeds"),
    ]
    for version, edit in enumerate(edits, 1):
        work.featurize(rows([update("p", version, Op.UPDATE, edit)]))
    work.featurize(rows([update("p", 8, Op.CLOSE), update("p", 9, Op.OPEN)]))
    assert embedder.calls == [1, 1, 1]


def test_without_its_embedder_a_batch_is_written_at_once_and_counted() -> None:
    store, embedder, clock = memory(), FlakyEmbedder(down=True), Clock()
    vectors = maker(embedder, clock)
    work = Featurizer(store, InstantSummarizer(), vectors=vectors)
    (row,) = work.featurize(rows([NURSE]))
    assert (row.outcome, has_vector(only(store))) == (Outcome.SUMMARIZED, False)
    work.featurize(rows([update("q", 1, Op.ADD, content("Cook", "kitchens"))]))
    assert embedder.calls == [1], "the embedder was asked again at once"
    assert vectors.counts == VectorCounts(missed=2)


def test_an_embedder_that_comes_back_gives_their_vectors_to_postings_that_something_happens_to() -> None:
    store, embedder, clock = memory(), FlakyEmbedder(down=True), Clock()
    work = featurizer(store, embedder, clock)
    work.featurize(rows([NURSE]))
    embedder.down, clock.now_s = False, 101.0
    (row,) = work.featurize(rows([update("p", 0, Op.CLOSE)]))
    assert (row.outcome, has_vector(only(store))) == (Outcome.STALE, True)
    assert has_vector(decode(FeatureRecord, row.value))


def test_the_pauses_after_failed_calls_grow_and_end_with_an_answer() -> None:
    embedder, clock = FlakyEmbedder(down=True), Clock()
    vectors, asked_at = maker(embedder, clock), []
    for second in range(14):
        clock.now_s, embedder.down = 100.0 + second, second < 7
        before = len(embedder.calls)
        vectors.fill([feature(summary="wards")], clock.now_s)
        asked_at += [second] * (len(embedder.calls) - before)
    assert asked_at == [0, 1, 3, 7, 8, 9, 10, 11, 12, 13]
    assert vectors.counts == VectorCounts(made=7, missed=7)


def test_a_text_that_the_model_refuses_is_counted_and_not_asked_for_again() -> None:
    store, embedder = memory(), FlakyEmbedder(poison="night")
    vectors = maker(embedder)
    work = Featurizer(store, InstantSummarizer(), vectors=vectors)
    work.featurize(rows([NURSE, update("q", 1, Op.ADD, content("Cook", "kitchens"))]))
    work.featurize(rows([update("p", 2, Op.REPOST, content("Nurse", "wards at night"))]))
    assert (embedder.calls, vectors.counts) == ([2], VectorCounts(made=1, refused=1))
    assert (only(store).vector, has_vector(only(store))) == (b"", True)


def test_a_slow_embedder_is_asked_in_parts_and_each_text_once() -> None:
    embedder = FlakyEmbedder()
    vectors = maker(embedder)
    titles = [f"Nurse {n}" for n in range(CALL_TEXTS + 2)] + [f"Nurse {CALL_TEXTS + 1}"]
    made = vectors.fill([feature(title=title) for title in titles], 0.0)
    assert embedder.calls == [CALL_TEXTS, 2]
    assert made[-1].vector == made[-2].vector != made[0].vector


def test_a_posting_that_waits_for_its_summary_waits_for_its_vector_too() -> None:
    store, embedder, summarizer = memory(), FlakyEmbedder(), FlakySummarizer(down={"wards at night"})
    work = Featurizer(store, summarizer, vectors=maker(embedder))
    with pytest.raises(ModelUnavailable):
        work.featurize(rows([NURSE]))
    assert embedder.calls == []
    summarizer.down.clear()
    work.featurize(rows([NURSE]))
    assert has_vector(only(store))


def test_a_refresh_gives_vectors_to_records_without_and_of_another_model_and_leaves_the_rest() -> None:
    store = memory()
    Featurizer(store, InstantSummarizer()).featurize(rows([NURSE]))
    featurizer(store, FlakyEmbedder(model="other@9")).featurize(
        rows([update("q", 1, Op.ADD, content("Cook", "kitchens"))])
    )
    embedder = FlakyEmbedder(model="hashing@2")
    model = served_embedder(embedder, 1.0)
    refresher = Refresher(
        store, InstantSummarizer(), deadline_s=1.0, vectors=maker(embedder), vector_model=model
    )
    made = refresher.refresh(["p", "q"], 1)
    refresher.refresh(["p", "q"], 1)
    assert embedder.calls == [1, 2]
    assert {r.vector_model for r in made.values() if isinstance(r, FeatureRecord)} == {"hashing@2"}
    assert [is_old(only(store, i), 1, "hashing@2") for i in "pq"] == [False, False]
    assert is_old(only(store), 1, "hashing@3")


def test_a_refresh_raises_an_outage_of_the_embedder_and_keeps_the_summaries_that_came() -> None:
    store = memory()
    Featurizer(store, InstantSummarizer("instant@1")).featurize(rows([NURSE]))
    refresher = Refresher(
        store,
        InstantSummarizer("instant@2"),
        deadline_s=1.0,
        vectors=maker(FlakyEmbedder(down=True)),
        vector_model="hashing@1",
    )
    with pytest.raises(ModelUnavailable, match="embedder is down"):
        refresher.refresh(["p"], 2)
    assert only(store).model == "instant@2"


def test_an_embedder_reads_title_metadata_and_summary_up_to_its_limit() -> None:
    item = Item(
        title="Nurse", company="NHS", location="Leeds", employment_type=None, remote=None, text="x" * 9_000
    )
    text = embedder_input(item)
    assert text.startswith("Title: Nurse\nCompany: NHS\nLocation: Leeds\nText: xxx")
    assert len(text) == EMBEDDER_CHARS


@settings(deadline=None, max_examples=40)
@given(
    history=histories, cuts=st.lists(st.integers(1, 4), min_size=9, max_size=9), seed=st.integers(0, 2**32)
)
def test_any_order_and_any_cut_into_batches_end_in_the_same_vector(
    history: list[PostingUpdate], cuts: list[int], seed: int
) -> None:
    whole, cut = memory(), memory()
    featurizer(whole, FlakyEmbedder()).featurize(rows(history))
    shuffled, work = Random(seed).sample(history, len(history)), featurizer(cut, FlakyEmbedder())
    while shuffled:
        size = cuts.pop()
        work.featurize(rows(shuffled[:size]))
        del shuffled[:size]
    one, other = only(whole), only(cut)
    assert (one.vector, one.vector_hash) == (other.vector, other.vector_hash)
    assert has_vector(one) == (one.content_version != NEVER)
