"""`featurize`: outcomes add up, batches may be cut anywhere, failures cost only what they must."""

from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from models.summarizer import InstantSummarizer
from pipeline.featurize import Featurizer
from schemas.codec import decode
from schemas.errors import ModelUnavailable, StoreFull
from schemas.records import FeatureRecord, Op, Outcome, State
from storage.base import MAX_VALUE_BYTES
from storage.features import FeatureStore
from storage.opening import open_store
from tests.pipeline.builders import FlakySummarizer, content, memory, memory_kv, rows, update


def test_each_operation_has_the_outcome_of_page_four() -> None:
    events = [
        (update("p", 10, Op.ADD, content("Nurse", "wards at night")), Outcome.SUMMARIZED),
        (update("p", 10, Op.ADD, content("Nurse", "wards at night")), Outcome.UNCHANGED),
        (update("p", 20, Op.UPDATE, content("Nurse", "wards at night")), Outcome.UNCHANGED),
        (
            update("p", 30, Op.UPDATE, content("Nurse", "wards at night", location="Leeds")),
            Outcome.METADATA_ONLY,
        ),
        (update("p", 40, Op.UPDATE, content("Nurse", "wards at day", location="Leeds")), Outcome.SUMMARIZED),
        (update("p", 50, Op.CLOSE), Outcome.CLOSED),
        (update("p", 60, Op.OPEN), Outcome.REOPENED),
        (update("p", 70, Op.REPOST, content("Nurse", "wards at day", location="Leeds")), Outcome.REOPENED),
        (update("p", 45, Op.CLOSE), Outcome.STALE),
        (update("p", 80, Op.REMOVE), Outcome.REMOVED),
        (update("p", 75, Op.UPDATE, content("Nurse", "late")), Outcome.STALE),
        (update("p", 90, Op.ADD, content("Nurse", "wards at day")), Outcome.SUMMARIZED),
    ]
    outcomes = Featurizer(memory(), InstantSummarizer()).featurize(rows([event for event, _ in events]))
    assert [row.outcome for row in outcomes] == [expected for _, expected in events]


def test_every_row_of_a_posting_sends_the_record_that_the_store_now_holds() -> None:
    store = memory()
    events = [update("p", 1, Op.ADD, content("Nurse", "a ward")), update("p", 2, Op.CLOSE)]
    sent = {row.value for row in Featurizer(store, InstantSummarizer()).featurize(rows(events))}
    assert sent == {store.read_raw(["p"])[0]}
    record = decode(FeatureRecord, sent.pop())
    assert (record.state, record.title, record.summary) == (State.CLOSED, "Nurse", "a ward")
    assert (record.model, record.generation) == ("instant@1", 1)


def test_a_redelivered_event_sends_the_current_record_again() -> None:
    """The crash between store write and send: nothing was sent, the offsets were not committed."""
    store = memory()
    batch = rows([update("p", 1, Op.ADD, content("Nurse", "a ward")), update("p", 2, Op.CLOSE)])
    first = Featurizer(store, InstantSummarizer()).featurize(batch)
    again = Featurizer(store, InstantSummarizer()).featurize(batch)
    assert [row.value for row in again] == [row.value for row in first]
    assert not any(row.summarizer_called for row in again)


def test_an_empty_batch_has_no_outcomes() -> None:
    assert Featurizer(memory(), InstantSummarizer()).featurize([]) == []


def test_broken_rows_are_dead_letters_with_their_reason_and_bytes_and_harm_no_neighbour() -> None:
    good = update("p", 1, Op.ADD, content("Nurse", "a ward"))
    (whole,) = rows([good])
    broken = [b"", b"\x00", b"\xff" * 40, whole.value[:-1], whole.value + b"x", b"\x00\x00\x00\x00\x07body"]
    bad_fields = [update("", 1, Op.CLOSE), update("p", -5, Op.CLOSE), update("p", 9, Op.UPDATE)]
    batch = rows([*broken, *bad_fields, good])
    outcomes = Featurizer(memory(), InstantSummarizer()).featurize(batch)
    assert [row.outcome for row in outcomes] == [Outcome.DEAD_LETTERS] * 9 + [Outcome.SUMMARIZED]
    assert [row.value for row in outcomes[:9]] == [row.value for row in batch[:9]]
    assert all(row.reason for row in outcomes[:9])
    assert "empty" in str(outcomes[6].reason)
    assert "-5" in str(outcomes[7].reason)
    assert "posting" in str(outcomes[8].reason)


def test_an_outage_writes_everything_else_then_raises_and_the_retry_finishes() -> None:
    store, summarizer = memory(), FlakySummarizer(down={"b"})
    events = [
        update("1", 1, Op.ADD, content("One", "a")),
        update("2", 1, Op.ADD, content("Two", "b")),
        update("3", 1, Op.ADD, content("Three", "")),
        update("3", 2, Op.CLOSE),
    ]
    with pytest.raises(ModelUnavailable) as raised:
        Featurizer(store, summarizer).featurize(rows(events))
    assert raised.value.retry_after_s == 7.0
    one, two, three = store.get_many(["1", "2", "3"])
    assert one is not None
    assert two is not None
    assert three is not None
    assert (one.summary, two.title, two.summary, three.state) == ("a", "Two", "", State.CLOSED)
    summarizer.down.clear()
    summarizer.asked.clear()
    outcomes = Featurizer(store, summarizer).featurize(rows(events))
    assert summarizer.asked == ["b"]
    assert Outcome.DEAD_LETTERS not in {row.outcome for row in outcomes}
    undisturbed = memory()
    Featurizer(undisturbed, FlakySummarizer()).featurize(rows(events))
    assert list(store.scan()) == list(undisturbed.scan())


def test_poison_is_a_dead_letter_and_its_posting_keeps_all_its_other_events() -> None:
    events = [
        update("1", 1, Op.ADD, content("One", "good")),
        update("1", 2, Op.UPDATE, content("One", "poison")),
        update("1", 3, Op.CLOSE),
        update("2", 1, Op.ADD, content("Two", "fine")),
    ]
    results = []
    for size in (1, 2, 4):
        store = memory()
        featurizer = Featurizer(store, FlakySummarizer(poison={"poison"}))
        outcomes = [
            row for i in range(0, 4, size) for row in featurizer.featurize(rows(events)[i : i + size])
        ]
        assert [row.outcome for row in outcomes] == [
            Outcome.SUMMARIZED,
            Outcome.DEAD_LETTERS,
            Outcome.CLOSED,
            Outcome.SUMMARIZED,
        ]
        assert "poison" in str(outcomes[1].reason)
        results.append(list(store.scan()))
    assert results[0] == results[1] == results[2]


def test_a_text_that_two_postings_share_is_summarized_once() -> None:
    summarizer = FlakySummarizer()
    events = [update(name, 1, Op.ADD, content("Nurse", "same text")) for name in ("1", "2", "3")]
    store = memory()
    outcomes = Featurizer(store, summarizer).featurize(rows(events))
    assert summarizer.asked == ["same text"]
    assert Counter(row.summarizer_called for row in outcomes) == {True: 1, False: 2}
    assert {record.summary for record in store.scan()} == {"same text"}


def test_only_the_text_that_wins_in_a_batch_is_summarized() -> None:
    summarizer = FlakySummarizer()
    events = [update("p", n, Op.UPDATE, content("Nurse", f"text {n}")) for n in (1, 3, 2)]
    outcomes = Featurizer(memory(), summarizer).featurize(rows(events))
    assert summarizer.asked == ["text 3"]
    assert [row.summarizer_called for row in outcomes] == [False, True, False]
    assert [row.outcome for row in outcomes] == [Outcome.SUMMARIZED, Outcome.SUMMARIZED, Outcome.STALE]


def test_the_generation_is_read_from_the_model_name_of_the_answer() -> None:
    store = memory()
    summarizer = FlakySummarizer(model="summarizer@7")
    Featurizer(store, summarizer).featurize(rows([update("p", 1, Op.ADD, content("Nurse", "text"))]))
    summarizer.model = "summarizer@8"
    edit = update("p", 2, Op.UPDATE, content("Nurse", "text", salary="more"))
    Featurizer(store, summarizer).featurize(rows([edit]))
    (record,) = store.get_many(["p"])
    assert record is not None
    assert (record.summary_version, record.generation, record.model) == (2, 7, "summarizer@7")


def test_an_unreadable_record_in_the_store_costs_its_own_posting_only() -> None:
    kv, store = memory_kv()
    kv.put_many([(b"f/1/bad", b"garbage")])
    events = [
        update("bad", 1, Op.ADD, content("A", "a")),
        update("good", 1, Op.ADD, content("B", "b")),
        update("bad", 2, Op.CLOSE),
    ]
    outcomes = Featurizer(store, InstantSummarizer()).featurize(rows(events))
    assert [row.outcome for row in outcomes] == [
        Outcome.DEAD_LETTERS,
        Outcome.SUMMARIZED,
        Outcome.DEAD_LETTERS,
    ]
    assert "cannot be read" in str(outcomes[0].reason)


def test_raw_text_of_the_winning_content_is_kept_and_erased_with_its_posting() -> None:
    store = memory()
    featurizer = Featurizer(store, InstantSummarizer())
    featurizer.featurize(rows([update("p", n, Op.UPDATE, content("A", f"text {n}")) for n in (2, 3, 1)]))
    (text,) = store.texts(["p"])
    assert text is not None
    assert (text.content_version, text.description) == (3, "text 3")
    featurizer.featurize(rows([update("p", 4, Op.REMOVE)]))
    featurizer.featurize(rows([update("p", 3, Op.UPDATE, content("A", "text 3"))]))
    assert store.texts(["p"]) == [None]


def test_a_text_that_no_store_takes_is_a_dead_letter_and_costs_its_posting_nothing_else() -> None:
    store = memory()
    events = [
        update("p", 1, Op.ADD, content("Nurse", "a ward")),
        update("p", 2, Op.UPDATE, content("Nurse", "word " * (MAX_VALUE_BYTES // 5 + 1))),
        update("p", 3, Op.CLOSE),
        update("q", 1, Op.ADD, content("Chef", "a kitchen")),
    ]
    outcomes = Featurizer(store, InstantSummarizer()).featurize(rows(events))
    assert [row.outcome for row in outcomes] == [
        Outcome.SUMMARIZED,
        Outcome.DEAD_LETTERS,
        Outcome.CLOSED,
        Outcome.SUMMARIZED,
    ]
    record, other = store.get_many(["p", "q"])
    assert record is not None
    assert other is not None
    assert (record.state, record.content_version, record.summary) == (State.CLOSED, 1, "a ward")


def test_a_full_store_is_an_outage_and_no_dead_letter(tmp_path: Path) -> None:
    with closing(open_store(f"lmdb://{tmp_path}?sync=os&map_size=1M")) as kv:
        featurizer = Featurizer(FeatureStore(kv), InstantSummarizer())
        big = rows([update(f"p{n}", 1, Op.ADD, content("Nurse", "word " * 20_000)) for n in range(40)])
        with pytest.raises(StoreFull):
            featurizer.featurize(big)
        small = rows([update("p", 1, Op.ADD, content("Nurse", "a ward"))])
        assert featurizer.featurize(small)[0].outcome is Outcome.SUMMARIZED
