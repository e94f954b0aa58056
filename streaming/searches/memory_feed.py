"""The topic `searches` in memory, for tests and debuggers."""

from collections import defaultdict
from collections.abc import Callable, Iterator

from streaming.kafka.memory_topic import MemoryTopic
from streaming.kafka.messages import Message


class MemorySearchFeed:
    """`SearchFeed` over a topic in memory."""

    def __init__(self, topic: MemoryTopic) -> None:
        self._topic = topic
        self._positions: dict[int, int] = defaultdict(int)

    def read_to_end(self, stopped: Callable[[], bool]) -> Iterator[Message]:
        """See SearchFeed."""
        return iter([] if stopped() else self.poll())

    def poll(self) -> list[Message]:
        """See SearchFeed."""
        return self._topic.read(self._positions, 1_000_000)
