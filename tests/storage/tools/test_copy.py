from collections.abc import Callable

import pytest

from schemas.codec import encode
from schemas.errors import StoreFull
from schemas.keys import copy_key, feature_key, ledger_key, quota_key, score_key, score_prefix, text_key
from schemas.merge import delta, merge
from schemas.records import FeatureRecord, Op, Posting, PostingUpdate
from storage.base import KeyValue
from storage.claims import Claim, ClaimVerdict
from storage.features import FeatureStore, FeatureWrite, RawText
from storage.ledger import TTL_S, AlertLedger
from storage.memory import MemoryStore
from storage.tools.copy import Copied, copy_store, count_rows
from storage.tools.verify import Compared, differences

ALERT = "ab" * 16


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def fresh(clock: Clock | None = None) -> MemoryStore:
    return MemoryStore(clock or Clock())


def added(version: int, title: str, posting_id: str = "p") -> FeatureRecord:
    posting = Posting(title=title, description=title)
    return delta(PostingUpdate(posting_id=posting_id, version=version, op=Op.ADD, posting=posting), b"h" * 16)


def closed(version: int) -> FeatureRecord:
    return delta(PostingUpdate(posting_id="p", version=version, op=Op.CLOSE), b"")


def put(kv: KeyValue, record: FeatureRecord) -> None:
    text = RawText(content_version=record.content_version, content_hash=record.content_hash, description="d")
    held = text if record.content_version >= 0 else None
    FeatureStore(kv).merge_many(
        [FeatureWrite(posting_id=record.posting_id, seen=None, record=record, text=held)]
    )


def held(kv: KeyValue) -> dict[bytes, bytes]:
    return dict(kv.scan())


def test_a_copy_moves_records_texts_and_the_ledger_and_leaves_scores_and_leases() -> None:
    source, target = fresh(), fresh()
    put(source, added(5, "Nurse"))
    AlertLedger(source).settle_many([claim(offset=7)])
    key = score_key(score_prefix("m", "m/d"), b"q", b"p")
    source.put_many([(key, b"score"), (b"l" + key, b"lease")])
    done = copy_store(source, target, "memory:")
    kept = {feature_key("p"), text_key("p"), ledger_key(ALERT), quota_key("s", 3)}
    assert held(target) == {key: value for key, value in held(source).items() if key in kept}
    assert (
        dict(done.read) == {"ledger entries": 1, "features": 1, "quotas": 1, "texts": 1} == dict(done.written)
    )
    assert count_rows(target) == {"ledger entries": 1, "features": 1, "quotas": 1, "texts": 1}


def claim(offset: int) -> Claim:
    return Claim(alert_id=ALERT, search_id="s", partition=0, offset=offset, passes=True, day=3, top_k=2)


def test_a_copy_merges_so_that_either_order_and_a_repetition_give_the_same() -> None:
    older, newer = added(5, "Nurse"), merge(added(9, "Chef"), closed(7))
    one, other = fresh(), fresh()
    put(one, older)
    put(other, newer)
    copy_store(one, other, "one")
    copy_store(other, one, "other")
    again = copy_store(other, one, "other")
    assert held(one) == held(other)
    assert one.get_many([feature_key("p")]) == [encode(merge(older, newer))]
    assert again.written.total() == 0
    assert list(differences(one, other, Compared())) == []


def test_a_ledger_entry_of_the_target_stays_and_quotas_are_joined() -> None:
    source, target = fresh(), fresh()
    AlertLedger(source).settle_many([claim(offset=1)])
    AlertLedger(target).settle_many([claim(offset=2)])
    copy_store(source, target, "memory:")
    assert AlertLedger(target).quota_used("s", 3) == 2
    assert [entry and entry.offset for entry in AlertLedger(target).entries([claim(1).alert_id])] == [2]


@pytest.mark.parametrize("sent_in", ["source", "target"])
def test_an_alert_that_either_store_knows_as_sent_is_sent_in_the_copy(sent_in: str) -> None:
    stores = {"source": fresh(), "target": fresh()}
    for offset, (name, store) in enumerate(stores.items()):
        ledger = AlertLedger(store)
        ledger.settle_many([claim(offset)])
        ledger.transacted([claim(offset).alert_id], committed=name == sent_in)
    copy_store(stores["source"], stores["target"], "memory:")
    verdicts = AlertLedger(stores["target"]).settle_many([claim(0), claim(1)])
    assert verdicts == [ClaimVerdict.SUPPRESSED, ClaimVerdict.SUPPRESSED]


def test_a_copied_ledger_entry_lives_as_long_as_a_new_one_and_a_record_for_ever() -> None:
    clock = Clock()
    source, target = fresh(clock), fresh(clock)
    put(source, added(5, "Nurse"))
    AlertLedger(source).settle_many([claim(offset=1)])
    copy_store(source, target, "memory:")
    clock.now = TTL_S
    assert target.get_many([ledger_key(ALERT)]) == [None]
    assert target.get_many([feature_key("p")]) != [None]


def test_a_copy_that_was_cut_off_goes_on_where_it_stopped() -> None:
    source, target = fresh(), fresh()
    for i in range(1_200):
        put(source, added(5, "Nurse", f"{i:05d}"))
    with pytest.raises(StoreFull):
        copy_store(source, target, "here", on_progress=stop_after(600))
    assert target.get_many([copy_key("here")]) == [feature_key("00999")]
    done = copy_store(source, target, "here")
    assert done.resumed
    assert dict(done.written) == {"features": 200, "texts": 1_200}
    assert held(target) == held(source)


def stop_after(rows: int) -> Callable[[Copied], None]:
    def stop(done: Copied) -> None:
        if done.read.total() > rows:
            raise StoreFull("no room")

    return stop


def test_a_row_that_cannot_be_read_is_counted_and_takes_no_other_with_it() -> None:
    source, target = fresh(), fresh()
    put(source, added(5, "Nurse"))
    source.put_many([(feature_key("broken"), b"?")])
    done = copy_store(source, target, "memory:")
    assert done.failed == 1
    assert "broken" in done.failures[0]
    assert count_rows(target)["features"] == 1
