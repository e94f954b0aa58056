"""`FeatureLog` in memory, with its failures on request: for tests and debuggers, one instance a group."""

from collections.abc import Collection, Mapping

from typing_extensions import override

from streaming.kafka.memory_topic import MemoryTopic
from streaming.kafka.messages import Message, Outgoing
from streaming.matching.log import FeatureLog, Progress


class MemoryFeatures(FeatureLog):
    """`FeatureLog` over a topic. `committed` and `out` survive a process; the rest is one process's view."""

    def __init__(self, topic: MemoryTopic, committed: dict[int, Progress], out: list[Outgoing]) -> None:
        self.committed = committed
        self.out = out
        self.assigned = set(range(len(topic.partitions)))
        self.refuse_commits = False
        self._topic = topic
        self._positions: dict[int, int] = {}
        self._rebalanced = True

    def rebalance(self, assigned: Collection[int]) -> None:
        """From the next poll on, these partitions are ours, from where they were committed."""
        self.assigned = set(assigned)
        self._rebalanced = True

    @override
    def poll(self, timeout_s: float) -> list[Message]:
        del timeout_s
        if self._rebalanced:
            self._positions = {p: done.offset for p, done in self._progress().items()}
        others = set(range(len(self._topic.partitions))) - self.assigned
        return self._topic.read(self._positions, 10, skip=others)

    @override
    def assignment(self) -> Mapping[int, Progress] | None:
        changed, self._rebalanced = self._rebalanced, False
        return self._progress() if changed else None

    @override
    def partition_of(self, posting_id: str) -> int:
        """Another choice than Kafka's, but always the same one for a key; tests append accordingly."""
        return sum(posting_id.encode()) % len(self._topic.partitions)

    @override
    def send(self, message: Outgoing) -> None:
        self.out.append(message)

    @override
    def commit(self, progress: Mapping[int, Progress]) -> bool:
        if self.refuse_commits:
            return False
        self.committed.update(progress)
        return True

    def _progress(self) -> dict[int, Progress]:
        return {p: self.committed.get(p, Progress(offset=0)) for p in self.assigned}
