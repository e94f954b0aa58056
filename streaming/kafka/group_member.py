"""What the members of our two consumer groups share: polling that reports its lag, and leaving."""

import time
from collections.abc import Callable

from kafka import KafkaConsumer, KafkaProducer
from prometheus_client import Gauge

from streaming.kafka import clients
from streaming.kafka.lag import LagMeter
from streaming.kafka.messages import Message


class GroupMember:
    """A group's consumer and the producer of its results; `probe` is told of named steps (process/fault_probe.py)."""

    def __init__(
        self,
        consumer: KafkaConsumer,
        producer: KafkaProducer,
        lag: Gauge,
        probe: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._consumer = consumer
        self._producer = producer
        self._lag = LagMeter(consumer, lag)
        self._probe = probe

    def poll(self, timeout_s: float) -> list[Message]:
        """What arrived within `timeout_s`; the gauge of the lag is kept up to date meanwhile."""
        polled = clients.poll(self._consumer, timeout_s)
        self._lag.observe(time.monotonic())
        return polled

    def close(self) -> None:
        """Leave the brokers; a static member keeps its partitions until its session ends or it comes back."""
        self._consumer.close()
        self._producer.close(timeout=10)
