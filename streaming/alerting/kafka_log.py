"""The alert consumer's log on Kafka: a consumer group on score requests, and a transactional producer."""

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import CommitFailedError, KafkaError
from kafka.structs import OffsetAndMetadata
from prometheus_client import Gauge
from typing_extensions import override

from schemas.errors import BrokersUnavailable
from streaming.alerting.log import RequestLog
from streaming.kafka import clients, commit_metadata, topics
from streaming.kafka.group_member import FENCED, GroupMember
from streaming.kafka.lag import EndsSeen
from streaming.kafka.messages import Outgoing
from streaming.kafka.topic_watch import TopicIds
from streaming.kafka.waiting import within

#: A transaction takes milliseconds; one that takes so long will not end (kafka-python waits for ever).
TRANSACTION_S = 60.0
#: A member that the group has expelled, say because its heartbeats stopped, joins again with the next poll as a rule.
#: kafka-python's producer does not tell its consumer, so that one whose offsets are refused for longer is told here.
REJOIN_S, EXPELLED_S = 2.0, 30.0
#: The brokers give up a transaction that is open for too long, and then answer its producer as if it were another's.
LEFT_OPEN = " (or this process was stopped within a transaction, which a new start mends)"

log = logging.getLogger(__name__)


class RequestGroup(GroupMember, RequestLog):
    """`RequestLog` over a consumer group and a transactional producer.

    Each transaction carries the consumer's group metadata, so that a member that the group has expelled cannot commit.
    A second process under the same transactional id fences the first one.
    """

    def __init__(
        self,
        consumer: KafkaConsumer,
        producer: KafkaProducer,
        lag: Gauge,
        probe: Callable[[str], None] = lambda _: None,
        stopped: Callable[[], bool] = lambda: False,
        topic_ids: Callable[[], TopicIds] = dict,
        ends_seen: EndsSeen = lambda _, __: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            consumer, producer, lag, probe, stopped, topics.SCORE_REQUESTS.name, topic_ids, ends_seen
        )
        self._clock = clock
        self._refused_since_s: float | None = None

    @override
    def transact(self, messages: Sequence[Outgoing], offsets: Mapping[int, int]) -> bool:
        """Raises InstanceTaken when another process has this one's name.

        Raises BrokersUnavailable after `TRANSACTION_S`, and when the group goes on refusing this member's offsets.
        """
        group, metadata = self._consumer.group_metadata(), self._metadata()
        return within(
            TRANSACTION_S,
            "a transaction",
            lambda: self._transact(messages, offsets, group, metadata),
            self._stopped,
        )

    def _transact(
        self, messages: Sequence[Outgoing], offsets: Mapping[int, int], group: Any, metadata: str
    ) -> bool:
        self._producer.begin_transaction()
        try:
            for message in messages:
                clients.send(self._producer, message)
            self._probe("after-produce")
            committed = {
                _partition(p): OffsetAndMetadata(offset, metadata, -1) for p, offset in offsets.items()
            }
            self._producer.send_offsets_to_transaction(committed, group)
            self._probe("before-commit")
            self._producer.commit_transaction()
        except FENCED as error:
            raise self.taken(LEFT_OPEN) from error
        except KafkaError as error:
            log.warning("%s: %s", type(error).__name__, error)
            self._abort()
            self._note_refusal(error)
            return False
        self._refused_since_s = None
        return True

    def _note_refusal(self, error: KafkaError) -> None:
        """Let this member join again once the group has refused its offsets for `REJOIN_S`; end after `EXPELLED_S`."""
        now_s = self._clock()
        if not isinstance(error, CommitFailedError):
            self._refused_since_s = None
        elif self._refused_since_s is None:
            self._refused_since_s = now_s
        elif now_s - self._refused_since_s > EXPELLED_S:
            raise BrokersUnavailable(
                f"the group has expelled this member, which cannot join again: {error}"
            ) from error
        elif now_s - self._refused_since_s > REJOIN_S:
            clients.join_again(self._consumer)

    def _metadata(self) -> str:
        return commit_metadata.write({self._topic: self._read_id})

    def _abort(self) -> None:
        try:
            self._producer.abort_transaction()
        except FENCED as error:
            raise self.taken(LEFT_OPEN) from error
        except KafkaError as error:
            raise BrokersUnavailable(
                f"a transaction can be neither committed nor aborted: {error}"
            ) from error

    @override
    def rewind(self, offsets: Mapping[int, int]) -> None:
        """Seek in the consumer; the committed offsets stay as they are."""
        assigned = self._consumer.assignment()
        for number, offset in offsets.items():
            if _partition(number) in assigned:
                self._consumer.seek(_partition(number), offset)

    @override
    def pause(self, partitions: Collection[int] | None) -> None:
        """Pause fetching in the consumer; the partitions stay assigned as long as the caller goes on polling."""
        assigned = self._consumer.assignment()
        self._consumer.pause(*(p for p in assigned if partitions is None or p.partition in partitions))

    @override
    def resume(self) -> None:
        """Resume every partition that the consumer holds as paused."""
        self._consumer.resume(*self._consumer.paused())


def _partition(number: int) -> Any:
    return TopicPartition(topics.SCORE_REQUESTS.name, number)
