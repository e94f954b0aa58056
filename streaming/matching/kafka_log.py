"""The matcher's log on Kafka: a consumer group on the features topic, and a producer."""

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

from streaming.kafka import topics
from streaming.kafka.delivery import Delivery
from streaming.kafka.group_member import FENCED, GroupMember
from streaming.kafka.messages import Outgoing
from streaming.matching.log import FeatureLog, PartitionProgress
from streaming.searches.table import Offsets

COMMIT_TIMEOUT_MS = 30_000

log = logging.getLogger(__name__)


class FeatureGroup(GroupMember, FeatureLog):
    """`FeatureLog` over a consumer group; `PartitionProgress.searches_matched` is stored as the commit's metadata."""

    def __init__(
        self,
        consumer: KafkaConsumer,
        producer: KafkaProducer,
        lag: Gauge,
        probe: Callable[[str], None] = lambda _: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(consumer, producer, lag, probe, stopped)
        self._membership: tuple[int, str] | None = None
        self._delivery = Delivery(producer, stopped=stopped)
        self._count = len(consumer.partitions_for_topic(topics.FEATURES.name))

    @override
    def assignment(self) -> Mapping[int, PartitionProgress] | None:
        """`poll` ends every rebalance, so that the new assignment is known before its first message is handled."""
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
        """Put the message into the producer's buffer; most errors of its delivery are raised by `commit`."""
        self._delivery.send(message)

    @override
    def commit(self, progress: Mapping[int, PartitionProgress]) -> bool:
        """Raises BrokersUnavailable when a message could not be written, InstanceTaken, KafkaError."""
        self._delivery.wait()
        self._probe("requests-sent")
        try:
            self._consumer.commit(_offsets(progress), timeout_ms=COMMIT_TIMEOUT_MS)
        except FENCED as error:
            raise self.taken() from error
        except KafkaError as error:
            if not (error.retriable or isinstance(error, CommitFailedError)):
                raise
            log.warning("offsets are not committed yet: %s", error)
            return False
        return True

    def _committed(self, partition: Any) -> PartitionProgress:
        committed = self._consumer.committed(partition, metadata=True, timeout_ms=COMMIT_TIMEOUT_MS)
        if committed is None:
            return PartitionProgress(offset=0)
        return PartitionProgress(
            offset=committed.offset, searches_matched=parse_searches_metadata(committed.metadata)
        )


def parse_searches_metadata(metadata: str) -> Offsets:
    """Read what `searches_metadata` wrote.

    Other metadata means that no search was matched: Kafka's own tools leave it empty when they reset offsets.
    """
    try:
        return {int(partition): int(offset) for partition, offset in json.loads(metadata)["searches"].items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def searches_metadata(matched: Offsets) -> str:
    """Write offsets of the topic `searches` as a commit's metadata (Kafka allows 4,096 bytes: 200 partitions)."""
    return json.dumps({"searches": matched}, separators=(",", ":"))


def _offsets(progress: Mapping[int, PartitionProgress]) -> dict[Any, Any]:
    return {
        TopicPartition(topics.FEATURES.name, number): OffsetAndMetadata(
            done.offset, searches_metadata(done.searches_matched), -1
        )
        for number, done in progress.items()
    }
