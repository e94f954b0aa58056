"""A member of a consumer group: polls, reports its lag, and leaves the group."""

import time
from collections.abc import Callable

from kafka import KafkaConsumer, KafkaProducer
from prometheus_client import Gauge

from streaming.kafka import clients
from streaming.kafka.lag import LagMeter
from streaming.kafka.messages import Message


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

    def poll(self, timeout_s: float) -> list[Message]:
        """The messages that arrive within `timeout_s`; updates the gauge of the lag as well."""
        polled = clients.poll(self._consumer, timeout_s)
        self._lag.observe(time.monotonic())
        return polled

    def close(self) -> None:
        """Close both clients; a static member keeps its partitions until it is started again or its session ends."""
        self._consumer.close(timeout_ms=int(clients.CLOSE_S * 1000))
        clients.close_producer(self._producer)
