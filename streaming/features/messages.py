"""The Kafka messages of the feature job: topic, key, value and headers for each outcome."""

from collections.abc import Sequence

from pipeline.featurize import OutcomeRow, SourceRow
from schemas.records import Outcome
from streaming.kafka.messages import ALERT_REASON, Message, dead_letter
from streaming.kafka.topics import FEATURES, KIB

#: Largest record that is sent: the broker refuses more, which would fail the job again and again. The 4 KiB are for
#: headers and framing.
MAX_FEATURE_BYTES = FEATURES.max_bytes - 4 * KIB

Headers = list[tuple[str, bytes]]
#: topic, key, value, headers
Row = tuple[str, bytes | None, bytes | None, Headers]


def row(source: SourceRow, key: bytes | None, outcome: OutcomeRow, *, features: str, dlq: str) -> Row:
    """The message of one outcome; `key` is the key of the source message."""
    if outcome.outcome is Outcome.DEAD_LETTERS:
        return _dead(source, key, outcome.reason or "no reason given", dlq)
    posting_key = outcome.posting_id.encode()
    size = len(posting_key) + len(outcome.value)
    if size > MAX_FEATURE_BYTES:
        return _dead(source, key, f"a record of {size} bytes is too large for {features}", dlq)
    headers: Headers = [
        ("outcome", outcome.outcome.encode()),
        ("source", f"{source.topic}/{source.partition}/{source.offset}".encode()),
        ("source_ts", b"%d" % source.timestamp_ms),
        ("summarizer_calls", b"1" if outcome.summarizer_called else b"0"),
        (ALERT_REASON, outcome.alert_reason.encode()),
    ]
    return features, posting_key, outcome.value, headers


def _dead(source: SourceRow, key: bytes | None, reason: str, dlq: str) -> Row:
    place = (source.topic, source.partition, source.offset, source.timestamp_ms)
    made = dead_letter(Message(*place, key, source.value), reason)
    return dlq, made.key, made.value, [("outcome", Outcome.DEAD_LETTERS.encode()), *made.headers.items()]


def columns(rows: Sequence[Row]) -> dict[str, list[object]]:
    """Turn rows into the columns of the feature job's sink table."""
    names = ("topic", "k", "v", "headers")
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
