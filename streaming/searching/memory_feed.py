"""`FeatureFeed` over a topic in memory, for tests and debuggers."""

from collections import defaultdict

from typing_extensions import override

from streaming.kafka.memory_topic import MemoryTopic
from streaming.kafka.messages import Message
from streaming.searching.feed import FeatureFeed


class MemoryFeatureFeed(FeatureFeed):
    """Reads a `MemoryTopic` from its end at `begin` on; it never waits."""

    def __init__(self, topic: MemoryTopic) -> None:
        self._topic = topic
        self._positions: dict[int, int] = defaultdict(int)
        self._id = topic.topic_id

    @override
    def begin(self) -> None:
        """Skip what the partitions hold."""
        self._id = self._topic.topic_id
        self._positions.update({p: len(held) for p, held in enumerate(self._topic.partitions)})

    @override
    def poll(self, timeout_s: float) -> list[Message]:
        """Everything since the last call, at most 1,000 messages of each partition."""
        del timeout_s
        return self._topic.read(self._positions, 1_000)

    @override
    def is_broken(self) -> bool:
        """Whether the topic was created anew."""
        return self._topic.topic_id != self._id
