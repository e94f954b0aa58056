"""What a run must show, whatever was killed (semantics page, 'Alerts')."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from kafka import TopicPartition

from models.ranker import Ranker
from pipeline.match import passes
from pipeline.score import item_of
from schemas.codec import decode
from schemas.keys import alert_id
from schemas.records import Alert, FeatureRecord, SavedSearch, State
from streaming import clients, topics
from streaming.kafka_settings import KafkaSettings
from streaming.messages import Message


@dataclass(slots=True)
class Evidence:
    """Everything that left the system: alerts as readers see them, and each record version that was published."""

    alerts: list[Alert] = field(default_factory=list)
    published: dict[tuple[str, int], list[FeatureRecord]] = field(default_factory=lambda: defaultdict(list))


def read_all(kafka: KafkaSettings, topic: str) -> Iterator[Message]:
    """Every committed message of a topic, up to the end it has now."""
    with clients.reader(kafka) as consumer:
        partitions = [
            TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))
        ]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            yield from clients.messages(consumer.poll(timeout_ms=500))


def gather(kafka: KafkaSettings) -> Evidence:
    """Read alerts and features whole."""
    evidence = Evidence()
    evidence.alerts = [decode(Alert, message.value or b"") for message in read_all(kafka, topics.ALERTS.name)]
    for message in read_all(kafka, topics.FEATURES.name):
        record = decode(FeatureRecord, message.value or b"")
        evidence.published[record.posting_id, record.version].append(record)
    return evidence


def broken_promises(
    evidence: Evidence, final: Mapping[str, FeatureRecord], searches: Iterable[SavedSearch], ranker: Ranker
) -> list[str]:
    """Every way in which the alerts break page 4's promise; empty when it holds."""
    by_id = {search.search_id: search for search in searches}
    counted = Counter(alert.alert_id for alert in evidence.alerts)
    twice = [f"{name} was sent {count} times" for name, count in counted.items() if count > 1]
    due = set(_due(final, by_id.values(), ranker))
    missing = [
        f"pair {pair} passes on the final record and has no alert"
        for pair in due
        if _id(*pair) not in counted
    ]
    allowed = {_id(*pair) for pair in due}
    baseless = [
        f"{alert.search_id} × {alert.posting_id} at {alert.version} did not pass"
        for alert in evidence.alerts
        if alert.alert_id not in allowed and not _did_pass(alert, evidence, by_id[alert.search_id], ranker)
    ]
    return twice + missing + baseless


def _due(
    final: Mapping[str, FeatureRecord], searches: Iterable[SavedSearch], ranker: Ranker
) -> Iterator[tuple[str, str, int]]:
    for search in searches:
        for record in final.values():
            if record.state is State.OPEN and _passes(search, record, ranker):
                yield search.search_id, record.posting_id, record.episode


def _did_pass(alert: Alert, evidence: Evidence, search: SavedSearch, ranker: Ranker) -> bool:
    published = evidence.published.get((alert.posting_id, alert.version), [])
    return any(_passes(search, record, ranker) for record in published)


def _passes(search: SavedSearch, record: FeatureRecord, ranker: Ranker) -> bool:
    if not passes(search, record):
        return False
    (p_yes,) = ranker.score_many(search.query, [item_of(record)], 30.0)
    return p_yes >= search.threshold


def _id(search_id: str, posting_id: str, episode: int) -> str:
    return alert_id(search_id, posting_id, episode)
