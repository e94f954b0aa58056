"""Ask the topic `alerts` which alerts were sent, for ledger entries that do not say so."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError
from typing_extensions import override

from schemas.errors import BrokersUnavailable
from storage.claims import SentAlerts
from streaming.kafka import clients
from streaming.kafka.admin import require_reachable
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.topics import ALERTS

#: Longer than an open transaction can hold back what stands behind it: its time-out of 20 s, and the brokers' check.
READ_TIMEOUT_S = 40.0
ASK_TIMEOUT_MS = 15_000
#: An alert's broker timestamp may be so much earlier than its request's: brokers' clocks differ, and may be set back.
CLOCK_SLACK_MS = 2 * 60 * 60 * 1000


class KafkaSentAlerts(SentAlerts):
    """Reads the committed alerts, from the time of the oldest request that is asked about to the topic's end.

    An alert whose request is older than the topic keeps its messages counts as sent: a process that dies right after a
    commit leaves such an entry, and nobody asks about it until the next request for the pair, which may be weeks away.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kafka = kafka
        self._clock = clock
        self._monotonic = monotonic

    @override
    def sent(self, since_ms: Mapping[str, int]) -> Collection[str]:
        """Takes a second, and up to `READ_TIMEOUT_S` while another consumer's transaction is open on the topic."""
        oldest_ms = self._clock() * 1000 - ALERTS.retention_ms
        expired = {name for name, ms in since_ms.items() if 0 < ms < oldest_ms}
        wanted = {name.encode(): name for name in since_ms if name not in expired}
        if not wanted:
            return expired
        from_ms = max(0, min(since_ms[name] for name in wanted.values()) - CLOCK_SLACK_MS)
        require_reachable(self._kafka.bootstrap)
        try:
            return expired | {wanted[key] for key in self._keys(from_ms) if key in wanted}
        except KafkaError as error:
            raise BrokersUnavailable(f"topic {ALERTS.name} cannot be read: {error}") from error

    def _keys(self, from_ms: int) -> Iterator[bytes | None]:
        with closing(clients.reader(self._kafka)) as consumer:
            ends = self._ends()
            consumer.assign(list(ends))
            _seek(consumer, ends, from_ms)
            deadline = self._monotonic() + READ_TIMEOUT_S
            # The position is behind the last committed message before an open transaction, which may hide later ones.
            while any(
                (consumer.position(p, timeout_ms=ASK_TIMEOUT_MS) or 0) < end for p, end in ends.items()
            ):
                if self._monotonic() > deadline:
                    raise BrokersUnavailable(
                        f"topic {ALERTS.name} was not read to its end within {READ_TIMEOUT_S:g} s: an open transaction?"
                    )
                for message in clients.poll(consumer, 0.2):
                    yield message.key

    def _ends(self) -> dict[Any, int]:
        """Where the partitions end, messages of open transactions included."""
        reader = clients.reader(self._kafka, isolation_level="read_uncommitted")
        with closing(reader) as consumer:
            numbers = consumer.partitions_for_topic(ALERTS.name)
            if not numbers:
                raise BrokersUnavailable(f"the brokers have no topic {ALERTS.name}")
            partitions = [TopicPartition(ALERTS.name, number) for number in numbers]
            found: dict[Any, int] = consumer.end_offsets(partitions, timeout_ms=ASK_TIMEOUT_MS)
            return found


def _seek(consumer: Any, ends: Mapping[Any, int], from_ms: int) -> None:
    starts = consumer.offsets_for_times(dict.fromkeys(ends, from_ms), timeout_ms=ASK_TIMEOUT_MS)
    for partition, end in ends.items():
        found = starts.get(partition)
        consumer.seek(partition, end if found is None else found.offset)
