"""Two stores compared row by row."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.summarizer import InstantSummarizer
from pipeline.featurize import Featurizer
from schemas import avro
from schemas.errors import StoreError
from schemas.keys import feature_key, ledger_key, text_key
from schemas.merge import merge
from schemas.records import FeatureRecord, Op, PostingUpdate
from storage.base import KeyValue
from storage.features import FeatureStore, FeatureWrite, RawText
from storage.tools.verify import SUMMARY_FIELDS, Compared, Difference, VerifySettings, differences
from tests.pipeline.builders import content, feature, memory_kv, rows, update
from tests.schemas.wire import as_datum, written
from tests.storage.tools.test_copy import added, closed, fresh, put

EXCEPT_SUMMARIES, NEWER_RIGHT = VerifySettings(except_summaries=True), VerifySettings(newer_right=True)
NURSE = update("p1", 1, Op.ADD, content("Nurse", "Nights."))


def store_of(*events: PostingUpdate, model: str = "instant@1") -> KeyValue:
    kv, store = memory_kv()
    Featurizer(store, InstantSummarizer(model)).featurize(rows(events))
    return kv


def of_records(*records: FeatureRecord) -> KeyValue:
    kv = fresh()
    writes = [FeatureWrite(posting_id=r.posting_id, seen=None, record=r) for r in records]
    FeatureStore(kv).merge_many(writes)
    return kv


def found(left: KeyValue, right: KeyValue, settings: VerifySettings | None = None) -> list[Difference]:
    return list(differences(left, right, Compared(), settings))


def test_each_field_that_differs_is_named_with_both_values() -> None:
    a, b = feature(title="A", version=1), feature(title="B", version=2)
    assert found(of_records(a), of_records(b)) == [
        Difference(kind="features", key="p1", field="version", left=1, right=2),
        Difference(kind="features", key="p1", field="title", left="A", right="B"),
    ]
    assert found(of_records(a), of_records(a)) == []


@given(left=st.sets(st.text(min_size=1, max_size=3)), right=st.sets(st.text(min_size=1, max_size=3)))
def test_postings_of_one_store_alone_are_named_in_the_order_of_their_keys(
    left: set[str], right: set[str]
) -> None:
    stores = [store_of(*[update(i, 1, Op.CLOSE) for i in ids]) for ids in (left, right)]
    compared = Compared()
    rows_found = list(differences(stores[0], stores[1], compared))
    sides = {feature_key(i)[4:].decode(): i in left for i in left ^ right}
    assert [(d.key, d.field, d.left == "present", d.right == "present") for d in rows_found] == [
        (key, "row", sides[key], not sides[key]) for key in sorted(sides, key=str.encode)
    ]
    assert (compared.rows["features"], compared.different["features"]) == (len(left | right), len(sides))


def test_raw_texts_are_compared_where_the_records_are_equal() -> None:
    left, right = store_of(NURSE), store_of(NURSE)
    record = FeatureStore(right).get_many(["p1"])[0]
    assert record is not None
    text = RawText(content_version=2, content_hash=record.content_hash, description="Days.")
    FeatureStore(right).merge_many([FeatureWrite(posting_id="p1", seen=None, record=record, text=text)])
    assert [(d.kind, d.field) for d in found(left, right)] == [
        ("texts", "content_version"),
        ("texts", "description"),
    ]


def test_a_newer_generation_differs_in_its_summary_only() -> None:
    left, right = store_of(NURSE), store_of(NURSE, model="instant@2")
    assert {d.field for d in found(left, right)} == {"model", "generation"} < SUMMARY_FIELDS
    assert found(left, right, EXCEPT_SUMMARIES) == []
    other = store_of(update("p1", 1, Op.ADD, content("Nurse", "Days.")))
    assert {"input_hash", "description"} <= {d.field for d in found(left, other, EXCEPT_SUMMARIES)}


def test_what_a_stream_has_moved_on_in_the_right_store_does_not_differ_but_what_it_lacks_does() -> None:
    new, edited = update("p1", 2, Op.CLOSE), update("p1", 3, Op.UPDATE, content("Nurse", "Days."))
    left, right = store_of(NURSE), store_of(NURSE, new, edited, update("p2", 1, Op.CLOSE))
    assert found(left, right, NEWER_RIGHT) == []
    assert {d.field for d in found(left, right)} >= {"state", "description", "row"}
    assert {d.key for d in found(right, left, NEWER_RIGHT)} == {"p1", "p2"}


def test_verifying_names_each_field_that_differs_and_each_row_that_is_missing() -> None:
    one, other = fresh(), fresh()
    put(one, added(5, "Nurse"))
    put(other, merge(added(5, "Nurse"), closed(7)))
    put(one, added(5, "Chef", "only"))
    other.put_many([(text_key("p"), None)])
    rows_found = found(one, other)
    missing = Difference(kind="features", key="only", field="row", left="present", right="missing")
    assert missing in rows_found
    assert {(d.kind, d.key, d.field) for d in rows_found} == {
        ("features", "only", "row"),
        ("features", "p", "version"),
        ("features", "p", "state"),
        ("features", "p", "lifecycle_version"),
        ("features", "p", "ended_version"),
        ("texts", "only", "row"),
        ("texts", "p", "row"),
    }


@pytest.mark.parametrize("settings", [VerifySettings(postings_only=True), NEWER_RIGHT])
def test_ledger_and_quotas_are_compared_unless_only_postings_are_asked_for(settings: VerifySettings) -> None:
    left, right = fresh(), fresh()
    left.put_many([(ledger_key("a"), b"entry")])
    assert [(d.kind, d.field) for d in found(left, right)] == [("ledger entries", "row")]
    assert found(left, right, settings) == []
    right.put_many([(ledger_key("a"), b"other")])
    assert [(d.field, d.left, d.right) for d in found(left, right)] == [
        ("bytes", b"entry".hex(), b"other".hex())
    ]


def test_a_record_in_an_older_version_of_its_schema_is_the_same_record() -> None:
    record, kv = replace(feature(title="A"), text_rules=0), fresh()
    older = dict(avro.history("feature_record"))[1]
    kv.put_many([(feature_key("p1"), written(older, as_datum(record)))])
    assert kv.get_many([feature_key("p1")]) != of_records(record).get_many([feature_key("p1")])
    assert found(kv, of_records(record)) == []


@pytest.mark.parametrize("key", [feature_key, text_key])
def test_a_row_that_cannot_be_read_is_named(key: Callable[[str], bytes]) -> None:
    left, right = store_of(NURSE), store_of(NURSE)
    right.put_many([(key("p1"), b"?")])
    with pytest.raises(StoreError, match="p1"):
        found(left, right)
