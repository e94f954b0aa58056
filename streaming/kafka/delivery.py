"""Send messages outside transactions, and wait a bounded time until the brokers have acknowledged every one."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from schemas.errors import BrokersUnavailable
from streaming.kafka import clients
from streaming.kafka.messages import Outgoing, size_bytes
from streaming.kafka.waiting import Deadline

#: What waits for its acknowledgement at most while `send` goes on; more would only fill the memory.
MOST_MESSAGES, MOST_BYTES = 10_000, 64 * 1024 * 1024
#: On top of kafka-python's own time-out, after which it should have failed the message itself.
MARGIN_S = 5.0


class Delivery:
    """The messages of one producer that are on their way; `acknowledged` counts those that the brokers have.

    Every method raises BrokersUnavailable when a message was not acknowledged within `delivery_s`, or soon after
    `stopped()`. The producer is of no use afterwards: kafka-python may never send again.
    """

    def __init__(
        self,
        producer: KafkaProducer,
        *,
        delivery_s: float = clients.DELIVERY_S,
        stopped: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.acknowledged = 0
        self._producer = producer
        self._patience_s, self._stopped, self._clock = delivery_s + MARGIN_S, stopped, clock
        self._waiting: deque[tuple[Any, int]] = deque()
        self._bytes = 0

    def send(self, message: Outgoing) -> None:
        """Hand the message to the producer; first wait for older ones while there are too many of them."""
        while len(self._waiting) >= MOST_MESSAGES or self._bytes > MOST_BYTES:
            self._settle_oldest()
        size = size_bytes(message)
        try:
            self._waiting.append((clients.send(self._producer, message), size))
        except KafkaError as error:
            raise _undelivered(error) from error
        self._bytes += size

    def wait(self) -> None:
        """Wait until every message is acknowledged."""
        deadline = Deadline(self._patience_s, self._stopped, self._clock)
        while self._waiting:
            self._settle_oldest(deadline)

    def _settle_oldest(self, deadline: Deadline | None = None) -> None:
        deadline = deadline or Deadline(self._patience_s, self._stopped, self._clock)
        future, size = self._waiting[0]
        try:
            _await(future, deadline)
        except KafkaError as error:
            raise _undelivered(error) from error
        self._waiting.popleft()
        self._bytes -= size
        self.acknowledged += 1


def _await(future: Any, deadline: Deadline) -> None:
    """Raises KafkaError when the message failed, or has no answer at the deadline."""
    while not future.is_done and (step_s := deadline.step_s()):
        try:
            future.get(timeout=step_s)
        except KafkaError:
            if future.is_done:
                raise
    future.get(timeout=0)


def _undelivered(error: KafkaError) -> BrokersUnavailable:
    return BrokersUnavailable(f"the Kafka brokers have not acknowledged a message: {error}")
