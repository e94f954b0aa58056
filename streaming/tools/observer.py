"""Watches what leaves the system: outcomes by source offset, alerts, and how long each took by the broker's clock."""

from collections import Counter
from dataclasses import dataclass, field

from kafka import TopicPartition

from schemas.codec import Codec
from schemas.records import Alert, Outcome
from streaming.kafka import clients, topics
from streaming.kafka.messages import Message
from streaming.kafka.settings import KafkaSettings

_WATCHED = (topics.FEATURES.name, topics.DLQ.name, topics.ALERTS.name)


@dataclass(slots=True)
class Seen:
    """Everything observed so far. The first outcome of a source offset counts; a redelivery adds nothing."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    summarizer_calls: int = 0
    alerts: dict[str, Alert] = field(default_factory=dict)
    duplicate_alert_ids: int = 0
    feature_ms: list[int] = field(default_factory=list)
    alert_ms: list[int] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Updates by outcome, every name of docs/semantics.md#outcomes present; they add up to the updates observed."""
        counted = Counter(self.outcomes.values())
        return {outcome.value: counted[outcome] for outcome in Outcome}


class Observer:
    """Reads features, dead letters and alerts from the offsets at which it was opened (`read_committed`)."""

    def __init__(
        self, kafka: KafkaSettings, *, from_beginning: bool = True, codec: Codec | None = None
    ) -> None:
        self.seen = Seen()
        self._codec = codec or Codec()
        self._consumer = clients.reader(kafka)
        partitions = [
            TopicPartition(t, p) for t in _WATCHED for p in self._consumer.partitions_for_topic(t) or ()
        ]
        self._consumer.assign(partitions)
        (self._consumer.seek_to_beginning if from_beginning else self._consumer.seek_to_end)(*partitions)

    def poll(self, timeout_s: float = 0.2) -> int:
        """Take in what has arrived; returns the number of messages."""
        arrived = clients.messages(self._consumer.poll(timeout_ms=int(1000 * timeout_s), max_records=2000))
        for message in arrived:
            observe(self.seen, message, self._codec)
        return len(arrived)

    def close(self) -> None:
        """Leave the brokers."""
        self._consumer.close()


def observe(seen: Seen, message: Message, codec: Codec) -> None:
    """Add one message of any watched topic."""
    if message.topic == topics.ALERTS.name:
        _observe_alert(seen, codec.decode(Alert, message.value or b""), message.timestamp_ms)
    else:
        _observe_outcome(seen, message)


def _observe_alert(seen: Seen, alert: Alert, at_ms: int) -> None:
    if alert.alert_id in seen.alerts:
        seen.duplicate_alert_ids += 1
        return
    seen.alerts[alert.alert_id] = alert
    seen.alert_ms.append(at_ms - alert.updated_ms)


def _observe_outcome(seen: Seen, message: Message) -> None:
    headers = {name: value.decode(errors="replace") for name, value in message.headers.items()}
    source = headers.get("source") or "/".join(
        headers.get(name, "") for name in ("topic", "partition", "offset")
    )
    if not source.startswith(topics.UPDATES.name) or source in seen.outcomes:
        return
    seen.outcomes[source] = Outcome(headers["outcome"])
    seen.summarizer_calls += int(headers.get("summarizer_calls", "0"))
    if message.topic == topics.DLQ.name:
        seen.reasons[headers["reason"].split(", begins with")[0]] += 1
    else:
        seen.feature_ms.append(message.timestamp_ms - int(headers["source_ts"]))
