"""A member of a consumer group: polls, reports its lag, and leaves the group."""

import time
from collections.abc import Callable
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import FencedInstanceIdError, InvalidProducerEpochError, ProducerFencedError
from kafka.structs import MemberState
from prometheus_client import Gauge

from schemas.errors import InstanceTaken
from streaming.kafka import clients
from streaming.kafka.commit_metadata import topic_ids
from streaming.kafka.lag import EndsSeen, LagMeter
from streaming.kafka.messages import Message
from streaming.kafka.topic_watch import TopicIds, differs

COMMIT_TIMEOUT_MS = 30_000
#: What a broker answers to a client whose name another one has taken.
FENCED = (FencedInstanceIdError, ProducerFencedError, InvalidProducerEpochError)
#: More than one, because a member looks the same for a moment while it joins.
FENCED_POLLS = 3


class GroupMember:
    """A group's consumer, and the producer of the messages made from what it reads.

    `probe` is called with the name of each step at which a fault test may kill the process
    (streaming/process/fault_probe.py). Waits for the brokers end early once `stopped()`. `topic_ids` tells when `topic`
    was created anew: then it is read from its first message on, whatever was committed. `ends_seen` is told where the
    partitions end.
    """

    def __init__(
        self,
        consumer: KafkaConsumer,
        producer: KafkaProducer,
        lag: Gauge,
        probe: Callable[[str], None] = lambda _: None,
        stopped: Callable[[], bool] = lambda: False,
        topic: str = "",
        topic_ids: Callable[[], TopicIds] = dict,
        ends_seen: EndsSeen = lambda _, __: None,
    ) -> None:
        self._consumer = consumer
        self._topic = topic
        self._topic_ids = topic_ids
        self._read_id = ""
        self._membership: tuple[int, str] | None = None
        #: The commits of a new assignment, until the caller has taken them.
        self.commits: dict[TopicPartition, Any] | None = None
        self._producer = producer
        self._lag = LagMeter(consumer, lag, ends_seen)
        self._probe = probe
        self._stopped = stopped
        self._fenced_polls = 0

    def poll(self, timeout_s: float) -> list[Message]:
        """The messages that arrive within `timeout_s`; updates the gauge of the lag as well.

        Raises InstanceTaken when another process has joined the group under this instance's name.
        """
        self._notice_new_topic()
        try:
            polled = clients.poll(self._consumer, timeout_s)
        except FencedInstanceIdError as error:
            raise self.taken() from error
        self._fenced_polls = self._fenced_polls + 1 if clients.is_fenced(self._consumer) else 0
        if self._fenced_polls >= FENCED_POLLS:
            raise self.taken()
        self._lag.observe(time.monotonic())
        return self._without_void(polled) if self._rebalanced() else polled

    def _notice_new_topic(self) -> None:
        """Once the topic was created anew, read from the first message on: the positions are the deleted one's."""
        now = self._topic_ids().get(self._topic, "")
        if differs(self._read_id, now):
            # nothing is assigned after a rebalance while the topic was missing
            if assigned := self._consumer.assignment():
                self._consumer.seek_to_beginning(*assigned)
            self._membership = None
        self._read_id = now or self._read_id

    def _rebalanced(self) -> bool:
        """Whether the assignment is a new one; once after each rebalance, and after the topic was created anew."""
        member = self._consumer.group_metadata()
        membership = (member.generation_id, member.member_id)
        if member.state != MemberState.STABLE or membership == self._membership:
            return False
        self._membership = membership
        return True

    def _without_void(self, polled: list[Message]) -> list[Message]:
        """Look up the commits of the new assignment; a partition whose topic was deleted since then begins anew."""
        self.commits = {p: self._committed(p) for p in self._consumer.assignment()}
        void = {
            p for p, commit in self.commits.items() if commit is not None and self._is_void(commit.metadata)
        }
        if not void:
            return polled
        self._consumer.seek_to_beginning(*void)
        self.commits |= dict.fromkeys(void)
        numbers = {p.partition for p in void}
        return [message for message in polled if message.partition not in numbers]

    def _committed(self, partition: TopicPartition) -> Any:
        return self._consumer.committed(partition, metadata=True, timeout_ms=COMMIT_TIMEOUT_MS)

    def _is_void(self, metadata: str) -> bool:
        return differs(topic_ids(metadata).get(self._topic, ""), self._read_id)

    def taken(self, otherwise: str = "") -> InstanceTaken:
        """The error that ends this process because another one has its name, or because of what `otherwise` says."""
        group = self._consumer.group_metadata()
        return InstanceTaken(
            f"another process has the instance id {group.group_instance_id!r} in the group {group.group_id!r}: give each "
            f"process an --instance-id of its own{otherwise}"
        )

    def close(self) -> None:
        """Close both clients; a static member keeps its partitions until it is started again or its session ends."""
        self._consumer.close(timeout_ms=int(clients.CLOSE_S * 1000))
        clients.close_producer(self._producer)
