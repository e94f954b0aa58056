"""The matcher's log on Kafka: a consumer group on the features topic, and a producer."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import CommitFailedError, KafkaError
from kafka.partitioner.default import murmur2
from kafka.structs import OffsetAndMetadata
from prometheus_client import Gauge
from typing_extensions import override

from streaming.kafka import commit_metadata, topics
from streaming.kafka.delivery import Delivery
from streaming.kafka.group_member import COMMIT_TIMEOUT_MS, FENCED, GroupMember
from streaming.kafka.messages import Outgoing
from streaming.kafka.topic_watch import TopicIds
from streaming.matching.log import FeatureLog, PartitionProgress
from streaming.searches.table import Offsets

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
        topic_ids: Callable[[], TopicIds] = dict,
    ) -> None:
        super().__init__(consumer, producer, lag, probe, stopped, topics.FEATURES.name, topic_ids)
        self._delivery = Delivery(producer, stopped=stopped)
        self._count = len(consumer.partitions_for_topic(topics.FEATURES.name))

    @override
    def assignment(self) -> Mapping[int, PartitionProgress] | None:
        """`poll` ends every rebalance, so that the new assignment is known before its first message is handled."""
        commits, self.commits = self.commits, None
        return None if commits is None else {p.partition: _progress(c) for p, c in commits.items()}

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


def _progress(commit: Any) -> PartitionProgress:
    if commit is None:
        return PartitionProgress(offset=0)
    return PartitionProgress(
        offset=commit.offset,
        searches_matched=parse_searches_metadata(commit.metadata),
        topics=commit_metadata.topic_ids(commit.metadata),
    )


def parse_searches_metadata(metadata: str) -> Offsets:
    """Read the offsets that `searches_metadata` wrote; other metadata means that no search was matched."""
    try:
        found = commit_metadata.read(metadata)["searches"].items()
        return {int(partition): int(offset) for partition, offset in found}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def searches_metadata(matched: Offsets, topic_ids: TopicIds) -> str:
    """Write offsets of the topic `searches` as a commit's metadata (of 180 partitions at most)."""
    return commit_metadata.write(topic_ids, searches=dict(matched))


def _offsets(progress: Mapping[int, PartitionProgress]) -> dict[Any, Any]:
    return {
        TopicPartition(topics.FEATURES.name, number): OffsetAndMetadata(
            done.offset, searches_metadata(done.searches_matched, done.topics), -1
        )
        for number, done in progress.items()
    }
