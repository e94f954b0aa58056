"""The matcher's group on the features topic, with its way out."""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import CommitFailedError, KafkaError
from kafka.partitioner.default import murmur2
from kafka.structs import MemberState, OffsetAndMetadata
from prometheus_client import Gauge
from typing_extensions import override

from streaming.kafka import clients, topics
from streaming.kafka.group_member import GroupMember
from streaming.kafka.messages import Outgoing
from streaming.matching.log import FeatureLog, Progress
from streaming.searches.table import Offsets

COMMIT_TIMEOUT_MS = 30_000

log = logging.getLogger(__name__)


class FeatureGroup(GroupMember, FeatureLog):
    """`FeatureLog` over a consumer group; what the stored postings have met travels as the commit's metadata."""

    def __init__(
        self,
        consumer: KafkaConsumer,
        producer: KafkaProducer,
        lag: Gauge,
        probe: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__(consumer, producer, lag, probe)
        self._membership: tuple[int, str] | None = None
        self._sent: list[Any] = []
        self._count = len(consumer.partitions_for_topic(topics.FEATURES.name))

    @override
    def assignment(self) -> Mapping[int, Progress] | None:
        """A rebalance ends within `poll`, so the new assignment is seen before its first message."""
        member = self._consumer.group_metadata()
        membership = (member.generation_id, member.member_id)
        if member.state != MemberState.STABLE or membership == self._membership:
            return None
        self._membership = membership
        return {p.partition: self._committed(p) for p in self._consumer.assignment()}

    @override
    def partition_of(self, posting_id: str) -> int:
        """The partition that the default partitioner of every Kafka producer chooses for this key."""
        return int((murmur2(posting_id.encode()) & 0x7FFFFFFF) % self._count)

    @override
    def send(self, message: Outgoing) -> None:
        self._sent.append(clients.send(self._producer, message))

    @override
    def commit(self, progress: Mapping[int, Progress]) -> bool:
        """Raises KafkaError when a message could not be written."""
        self._producer.flush()
        for future in self._sent:
            future.get(timeout=0)
        self._sent.clear()
        self._probe("requests-sent")
        try:
            self._consumer.commit(_offsets(progress), timeout_ms=COMMIT_TIMEOUT_MS)
        except KafkaError as error:
            if not (error.retriable or isinstance(error, CommitFailedError)):
                raise
            log.warning("offsets are not committed yet: %s", error)
            return False
        return True

    def _committed(self, partition: Any) -> Progress:
        committed = self._consumer.committed(partition, metadata=True, timeout_ms=COMMIT_TIMEOUT_MS)
        if committed is None:
            return Progress(offset=0)
        return Progress(offset=committed.offset, met=parse_met(committed.metadata))


def parse_met(metadata: str) -> Offsets:
    """What `format_met` wrote; empty when another tool committed (a reset by Kafka's own tools leaves it empty)."""
    try:
        return {int(partition): int(offset) for partition, offset in json.loads(metadata)["searches"].items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def format_met(met: Offsets) -> str:
    """Next offsets of the searches topic as a commit's metadata (at most 4,096 bytes: some 200 partitions)."""
    return json.dumps({"searches": met}, separators=(",", ":"))


def _offsets(progress: Mapping[int, Progress]) -> dict[Any, Any]:
    return {
        TopicPartition(topics.FEATURES.name, number): OffsetAndMetadata(done.offset, format_met(done.met), -1)
        for number, done in progress.items()
    }
