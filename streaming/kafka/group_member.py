"""A member of a consumer group: polls, reports its lag, and leaves the group."""

import time
from collections.abc import Callable

from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import FencedInstanceIdError, InvalidProducerEpochError, ProducerFencedError
from prometheus_client import Gauge

from schemas.errors import InstanceTaken
from streaming.kafka import clients
from streaming.kafka.lag import LagMeter
from streaming.kafka.messages import Message

#: What a broker answers to a client whose name another one has taken.
FENCED = (FencedInstanceIdError, ProducerFencedError, InvalidProducerEpochError)
#: More than one, because a member looks the same for a moment while it joins.
FENCED_POLLS = 3


class GroupMember:
    """A group's consumer, and the producer of the messages made from what it reads.

    `probe` is called with the name of each step at which a fault test may kill the process
    (streaming/process/fault_probe.py). Waits for the brokers end early once `stopped()`.
    """

    def __init__(
        self,
        consumer: KafkaConsumer,
        producer: KafkaProducer,
        lag: Gauge,
        probe: Callable[[str], None] = lambda _: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._consumer = consumer
        self._producer = producer
        self._lag = LagMeter(consumer, lag)
        self._probe = probe
        self._stopped = stopped
        self._fenced_polls = 0

    def poll(self, timeout_s: float) -> list[Message]:
        """The messages that arrive within `timeout_s`; updates the gauge of the lag as well.

        Raises InstanceTaken when another process has joined the group under this instance's name.
        """
        try:
            polled = clients.poll(self._consumer, timeout_s)
        except FencedInstanceIdError as error:
            raise self.taken() from error
        self._fenced_polls = self._fenced_polls + 1 if clients.is_fenced(self._consumer) else 0
        if self._fenced_polls >= FENCED_POLLS:
            raise self.taken()
        self._lag.observe(time.monotonic())
        return polled

    def taken(self) -> InstanceTaken:
        """The error that ends this process because another one has its name."""
        group = self._consumer.group_metadata()
        return InstanceTaken(
            f"another process has the instance id {group.group_instance_id!r} in the group {group.group_id!r}: give each "
            "process an --instance-id of its own"
        )

    def close(self) -> None:
        """Close both clients; a static member keeps its partitions until it is started again or its session ends."""
        self._consumer.close(timeout_ms=int(clients.CLOSE_S * 1000))
        clients.close_producer(self._producer)
