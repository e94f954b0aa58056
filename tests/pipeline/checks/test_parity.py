"""Two stores posting by posting."""

from hypothesis import given
from hypothesis import strategies as st

from models.summarizer import InstantSummarizer
from pipeline.checks.parity import SUMMARY, Compared, Difference, compare, differences
from pipeline.featurize import Featurizer
from schemas.keys import feature_key
from schemas.records import Op, PostingUpdate
from storage.features import FeatureStore, FeatureWrite, RawText
from tests.pipeline.builders import content, feature, memory_kv, rows, update


def store_of(*events: PostingUpdate) -> FeatureStore:
    _, store = memory_kv()
    Featurizer(store, InstantSummarizer()).featurize(rows(events))
    return store


def test_each_field_that_differs_is_named_with_both_values() -> None:
    a, b = feature(title="A", version=1), feature(title="B", version=2)
    assert differences("p1", a, b) == [
        Difference("p1", "version", 1, 2),
        Difference("p1", "title", "A", "B"),
    ]
    assert differences("p1", a, a) == []


@given(left=st.sets(st.text(min_size=1, max_size=3)), right=st.sets(st.text(min_size=1, max_size=3)))
def test_postings_of_one_store_alone_are_named_in_the_order_of_their_keys(
    left: set[str], right: set[str]
) -> None:
    stores = [store_of(*[update(i, 1, Op.CLOSE) for i in ids]) for ids in (left, right)]
    compared = Compared()
    found = list(compare(stores[0], stores[1], compared))
    assert [d.posting_id for d in found] == sorted(left ^ right, key=feature_key)
    assert all(
        (d.field, d.left, d.right) == ("posting", d.posting_id in left, d.posting_id in right) for d in found
    )
    assert (compared.postings, compared.different) == (len(left | right), len(left ^ right))


def test_raw_texts_are_compared_where_the_records_are_equal() -> None:
    event = update("p1", 1, Op.ADD, content("Nurse", "Nights."))
    left, right = store_of(event), store_of(event)
    record = right.get_many(["p1"])[0]
    assert record is not None
    text = RawText(content_version=2, content_hash=record.content_hash, description="Days.")
    right.merge_many([FeatureWrite(posting_id="p1", seen=None, record=record, text=text)])
    assert [d.field for d in compare(left, right, Compared())] == ["text"]


def test_a_newer_generation_differs_in_its_summary_only() -> None:
    event = update("p1", 1, Op.ADD, content("Nurse", "Nights."))
    _, right = memory_kv()
    Featurizer(right, InstantSummarizer("instant@2")).featurize(rows([event]))
    left = store_of(event)
    assert {d.field for d in compare(left, right, Compared())} <= SUMMARY
    assert list(compare(left, right, Compared())) != []
    assert list(compare(left, right, Compared(), ignored=SUMMARY)) == []
    other = store_of(update("p1", 1, Op.ADD, content("Nurse", "Days.")))
    assert list(compare(left, other, Compared(), ignored=SUMMARY)) != []


def test_what_a_stream_has_moved_on_in_the_right_store_does_not_differ_but_what_it_lacks_does() -> None:
    old, new = update("p1", 1, Op.ADD, content("Nurse", "Nights.")), update("p1", 2, Op.CLOSE)
    left, right = store_of(old), store_of(old, new, update("p2", 1, Op.CLOSE))
    assert list(compare(left, right, Compared(), newer_right=True)) == []
    assert {d.field for d in compare(left, right, Compared())} >= {"state", "posting"}
    assert {d.posting_id for d in compare(right, left, Compared(), newer_right=True)} == {"p1", "p2"}
