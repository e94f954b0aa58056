"""What a run must show, whatever was killed (docs/semantics.md#alerts)."""

import itertools
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kafka import TopicPartition

from models.ranker import Ranker
from models.summarizer import Summarizer
from pipeline.local import LocalPath
from pipeline.match import passes
from pipeline.scoring.items import item_of
from schemas.codec import decode
from schemas.events import BrokenLine
from schemas.keys import alert_id
from schemas.records import Alert, FeatureRecord, PostingUpdate, SavedSearch, State
from storage.memory import MemoryStore
from streaming.kafka import clients, topics
from streaming.kafka.messages import Message
from streaming.kafka.settings import KafkaSettings


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
    evidence: Evidence,
    final: Mapping[str, FeatureRecord],
    searches: Iterable[SavedSearch],
    ranker: Ranker,
    stored: Callable[[str, int], Iterable[FeatureRecord]],
) -> list[str]:
    """Every way in which the alerts break the promise of docs/semantics.md#alerts; empty when it holds.

    `stored` gives the record that the store held at a version that was never published: a feature job that dies between
    its write and its publication publishes the next version with it, and the record between may have been scored.
    """
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
    others = [alert for alert in evidence.alerts if alert.alert_id not in allowed]
    baseless = [
        f"{alert.search_id} × {alert.posting_id} at {alert.version} did not pass"
        for alert, did in zip(others, _did_pass(others, evidence, by_id, ranker, stored), strict=True)
        if not did
    ]
    return twice + missing + baseless


def _due(
    final: Mapping[str, FeatureRecord], searches: Iterable[SavedSearch], ranker: Ranker
) -> Iterator[tuple[str, str, int]]:
    still_open = [record for record in final.values() if record.state is State.OPEN]
    for search in searches:
        for record, passed in zip(still_open, _passing(search, still_open, ranker), strict=True):
            if passed:
                yield search.search_id, record.posting_id, record.episode


def _did_pass(
    alerts: Sequence[Alert],
    evidence: Evidence,
    searches: Mapping[str, SavedSearch],
    ranker: Ranker,
    stored: Callable[[str, int], Iterable[FeatureRecord]],
) -> list[bool]:
    """Whether some record published or else stored under the alert's version passes; one call a search."""
    verdicts: dict[str, bool] = {}
    for search_id, group in itertools.groupby(sorted(alerts, key=_search_of), _search_of):
        pairs = [
            (a.alert_id, record)
            for a in group
            for record in evidence.published[a.posting_id, a.version] or stored(a.posting_id, a.version)
        ]
        passed = _passing(searches[search_id], [record for _, record in pairs], ranker)
        for (name, _), good in zip(pairs, passed, strict=True):
            verdicts[name] = verdicts.get(name, False) or good
    return [verdicts.get(alert.alert_id, False) for alert in alerts]


def stored_at(
    events: Iterable[PostingUpdate | BrokenLine], summarizer: Summarizer, ranker: Ranker
) -> Callable[[str, int], Iterable[FeatureRecord]]:
    """What the store holds of a posting once all its events up to a version have come."""
    of_posting = defaultdict[str, list[PostingUpdate]](list)
    for event in events:
        if isinstance(event, PostingUpdate):
            of_posting[event.posting_id].append(event)

    def stored(posting_id: str, version: int) -> Iterable[FeatureRecord]:
        local = LocalPath(MemoryStore(time.time), summarizer, ranker)
        local.replay([event for event in of_posting[posting_id] if event.version <= version])
        return local.features.scan()

    return stored


def _search_of(alert: Alert) -> str:
    return alert.search_id


def _passing(search: SavedSearch, records: Sequence[FeatureRecord], ranker: Ranker) -> list[bool]:
    filtered = [passes(search, record) for record in records]
    items = [item_of(record) for record, good in zip(records, filtered, strict=True) if good]
    scores = iter(ranker.score_many(search.query, items, 60.0) if items else [])
    return [good and next(scores) >= search.threshold for good in filtered]


def _id(search_id: str, posting_id: str, episode: int) -> str:
    return alert_id(search_id, posting_id, episode)
