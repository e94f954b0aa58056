"""`RequestLog` in memory, for tests and debuggers: a group of one instance, whose failures can be asked for."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence

from typing_extensions import override

from storage.claims import SentAlerts
from streaming.alerting.log import RequestLog
from streaming.kafka.memory_topic import MemoryTopic
from streaming.kafka.messages import Message, Outgoing
from streaming.kafka.topics import ALERTS


class MemorySentAlerts(SentAlerts):
    """The alerts among the messages that committed transactions have sent, which the caller keeps in `out`."""

    def __init__(self, out: Callable[[], Sequence[Outgoing]]) -> None:
        self._out = out

    @override
    def sent(self, since_ms: Mapping[str, int]) -> Collection[str]:
        """Searches all messages, whatever the times."""
        keys = {m.key for m in self._out() if m.topic == ALERTS.name}
        return {name for name in since_ms if name.encode() in keys}


class MemoryRequests(RequestLog):
    """`RequestLog` over a topic in memory.

    `committed` (offsets by partition) and `out` (messages sent) belong to the caller, who hands them to the next
    instance as Kafka would after a restart. The next `refuse` transactions are aborted.
    """

    def __init__(self, topic: MemoryTopic, committed: dict[int, int], out: list[Outgoing]) -> None:
        self.committed = committed
        self.out = out
        self.refuse = 0
        self.paused: set[int] = set()
        self._topic = topic
        self._positions: dict[int, int] = defaultdict(int, committed)

    @override
    def poll(self, timeout_s: float) -> list[Message]:
        """Up to 50 requests of each partition that is not paused; never waits."""
        del timeout_s
        return self._topic.read(self._positions, 50, skip=self.paused)

    @override
    def transact(self, messages: Sequence[Outgoing], offsets: Mapping[int, int]) -> bool:
        """Count `refuse` down and abort while it is above 0; messages to this topic itself can be polled afterwards."""
        if self.refuse:
            self.refuse -= 1
            return False
        self.out += messages
        self.committed.update(offsets)
        for message in messages:
            if message.topic == self._topic.name:
                self._topic.append(message.value, key=message.key, headers=message.headers)
        return True

    @override
    def rewind(self, offsets: Mapping[int, int]) -> None:
        """Set the read positions; `committed` stays as it is."""
        self._positions.update(offsets)

    @override
    def pause(self, partitions: Collection[int] | None) -> None:
        """Add the partitions to `paused`, which a test can read."""
        self.paused |= set(range(len(self._topic.partitions)) if partitions is None else partitions)

    @override
    def resume(self) -> None:
        """Empty `paused`."""
        self.paused.clear()
