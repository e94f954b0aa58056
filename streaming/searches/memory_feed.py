"""The topic `searches` in memory, for tests and debuggers."""

from collections import defaultdict
from collections.abc import Callable, Iterator

from typing_extensions import override

from streaming.kafka.memory_topic import MemoryTopic
from streaming.kafka.messages import Message
from streaming.searches.feed import SearchFeed


class MemorySearchFeed(SearchFeed):
    """`SearchFeed` over a topic in memory."""

    def __init__(self, topic: MemoryTopic) -> None:
        self._topic = topic
        self._topic_id = topic.topic_id
        self._positions: dict[int, int] = defaultdict(int)
        self._begun = 1

    @override
    def read_to_end(self, stopped: Callable[[], bool]) -> Iterator[Message]:
        """Read everything at once; `stopped` is asked only before."""
        return iter([] if stopped() else self.poll())

    @override
    def poll(self) -> list[Message]:
        """Read each partition from where the last call ended, at most 1,000,000 messages of each."""
        shorter = any(len(m) < self._positions[p] for p, m in enumerate(self._topic.partitions))
        if shorter or self._topic.topic_id != self._topic_id:
            self._topic_id = self._topic.topic_id
            self._positions.clear()
            self._begun += 1
        return self._topic.read(self._positions, 1_000_000)

    @override
    def times_begun(self) -> int:
        """A topic that was created anew has another id; one that was restored is shorter than what was read."""
        return self._begun
