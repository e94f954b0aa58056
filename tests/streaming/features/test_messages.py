"""How an outcome leaves the feature job."""

from pipeline.featurize import OutcomeRow, SourceRow
from schemas.records import Outcome, Reason
from streaming.features.messages import columns, row
from streaming.kafka.topics import DLQ, FEATURES, UPDATES

SOURCE = SourceRow(b"original", UPDATES.name, 2, 17, 1_700_000_000_123)
TOPICS = {"features": FEATURES.name, "dlq": DLQ.name}


def test_an_outcome_leaves_under_its_posting_with_where_it_came_from() -> None:
    outcome = OutcomeRow(Outcome.SUMMARIZED, "p-é", b"record", True, alert_reason=Reason.EDITED)
    topic, key, value, headers = row(SOURCE, b"source key", outcome, **TOPICS)
    assert (topic, key, value) == (FEATURES.name, "p-é".encode(), b"record")
    assert dict(headers) == {
        "outcome": b"summarized",
        "source": b"postings.updates/2/17",
        "source_ts": b"1700000000123",
        "summarizer_calls": b"1",
        "alert_reason": b"edited",
    }


def test_a_dead_letter_leaves_with_the_original_key_and_bytes() -> None:
    outcome = OutcomeRow(Outcome.DEAD_LETTERS, "", b"", reason="unknown op")
    topic, key, value, headers = row(SOURCE, b"source key", outcome, **TOPICS)
    assert (topic, key, value) == (DLQ.name, b"source key", b"original")
    told = dict(headers)
    assert (told["outcome"], told["reason"]) == (b"dead_letters", b"unknown op")
    assert (told["topic"], told["partition"], told["offset"]) == (b"postings.updates", b"2", b"17")


def test_a_record_that_the_broker_would_refuse_is_a_dead_letter_and_not_an_endless_failure() -> None:
    outcome = OutcomeRow(Outcome.METADATA_ONLY, "p", bytes(FEATURES.max_bytes))
    topic, _, value, headers = row(SOURCE, None, outcome, **TOPICS)
    assert (topic, value) == (DLQ.name, b"original")
    assert b"too large" in dict(headers)["reason"]


def test_the_sink_gets_one_row_for_each_outcome_in_order() -> None:
    outcomes = [OutcomeRow(Outcome.UNCHANGED, f"p{n}", b"r") for n in range(3)]
    made = columns([row(SOURCE, None, o, **TOPICS) for o in outcomes])
    assert made["k"] == [b"p0", b"p1", b"p2"]
    assert list(made) == ["topic", "k", "v", "headers"]
