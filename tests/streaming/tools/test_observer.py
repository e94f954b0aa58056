"""What the observer counts."""

from schemas.codec import Codec, encode
from schemas.records import Alert, Outcome
from streaming.kafka.messages import Message
from streaming.kafka.topics import ALERTS, DLQ, FEATURES
from streaming.tools.observer import Seen, observe


def feature(outcome: str, offset: int, *, at_ms: int = 150, calls: int = 0) -> Message:
    headers = {
        "outcome": outcome.encode(),
        "source": f"postings.updates/0/{offset}".encode(),
        "source_ts": b"100",
        "summarizer_calls": str(calls).encode(),
    }
    return Message(FEATURES.name, 0, 0, at_ms, b"p", b"", headers)


def letter(offset: int, source: str = "postings.updates") -> Message:
    headers = {
        "outcome": b"dead_letters",
        "reason": b"no event",
        "topic": source.encode(),
        "partition": b"0",
        "offset": str(offset).encode(),
    }
    return Message(DLQ.name, 0, 0, 150, None, b"", headers)


def alert(name: str, at_ms: int) -> Message:
    made = Alert(
        alert_id=name,
        search_id="s",
        posting_id="p",
        version=1,
        episode=1,
        query="q",
        title="t",
        company=None,
        p_yes=0.7,
        model="m@1",
        updated_ms=100,
    )
    return Message(ALERTS.name, 0, 0, at_ms, b"k", encode(made))


def seen(*messages: Message) -> Seen:
    total = Seen()
    for message in messages:
        observe(total, message, Codec())
    return total


def test_the_first_outcome_of_an_offset_counts() -> None:
    total = seen(feature("summarized", 1, calls=1), feature("unchanged", 1), feature("closed", 2))
    assert total.counts()["summarized"] == 1
    assert total.counts()["unchanged"] == 0
    assert total.counts()["closed"] == 1
    assert total.summarizer_calls == 1


def test_the_names_of_all_outcomes_are_always_there() -> None:
    assert set(seen().counts()) == {outcome.value for outcome in Outcome}


def test_latency_is_the_difference_of_broker_times() -> None:
    total = seen(feature("summarized", 1, at_ms=173), alert("a", 190))
    assert (total.feature_ms, total.alert_ms) == ([73], [90])


def test_dead_letters_of_updates_are_outcomes_and_others_are_not() -> None:
    total = seen(letter(1), letter(1, source="score.requests"))
    assert total.counts()["dead_letters"] == 1
    assert total.reasons == {"no event": 1}


def test_an_alert_sent_twice_is_a_duplicate() -> None:
    total = seen(alert("a", 190), alert("a", 195), alert("b", 199))
    assert (len(total.alerts), total.duplicate_alert_ids) == (2, 1)
