"""`FeatureLog` in memory, for tests and debuggers: a group of one instance, whose failures can be asked for."""

from collections.abc import Collection, Mapping

from typing_extensions import override

from streaming.kafka.memory_topic import MemoryTopic
from streaming.kafka.messages import Message, Outgoing
from streaming.matching.log import FeatureLog, PartitionProgress


class MemoryFeatures(FeatureLog):
    """`FeatureLog` over a topic in memory.

    `committed` (progress by partition) and `out` (messages sent) belong to the caller, who hands them to the next
    instance as Kafka would after a restart. While `refuse_commits` is true, `commit` fails as after a rebalance.
    """

    def __init__(
        self, topic: MemoryTopic, committed: dict[int, PartitionProgress], out: list[Outgoing]
    ) -> None:
        self.committed = committed
        self.out = out
        self.assigned = set(range(len(topic.partitions)))
        self.refuse_commits = False
        self._topic = topic
        self._positions: dict[int, int] = {}
        self._rebalanced = True

    def rebalance(self, assigned: Collection[int]) -> None:
        """Assign these partitions from the next poll on, each from its committed offset."""
        self.assigned = set(assigned)
        self._rebalanced = True

    @override
    def poll(self, timeout_s: float) -> list[Message]:
        """Up to 10 messages of each assigned partition; never waits."""
        del timeout_s
        if self._rebalanced:
            self._positions = {p: done.offset for p, done in self._progress().items()}
        others = set(range(len(self._topic.partitions))) - self.assigned
        return self._topic.read(self._positions, 10, skip=others)

    @override
    def assignment(self) -> Mapping[int, PartitionProgress] | None:
        """The first call counts as one after a rebalance; a partition without progress begins at offset 0."""
        changed, self._rebalanced = self._rebalanced, False
        return self._progress() if changed else None

    @override
    def partition_of(self, posting_id: str) -> int:
        """The sum of the id's bytes modulo the partitions, unlike Kafka's choice; tests append by the same rule."""
        return sum(posting_id.encode()) % len(self._topic.partitions)

    @override
    def send(self, message: Outgoing) -> None:
        """Append to `out` at once, whether or not a commit follows."""
        self.out.append(message)

    @override
    def commit(self, progress: Mapping[int, PartitionProgress]) -> bool:
        """Store the progress in `committed`, unless `refuse_commits` is true."""
        if self.refuse_commits:
            return False
        self.committed.update(progress)
        return True

    def _progress(self) -> dict[int, PartitionProgress]:
        return {p: self.committed.get(p, PartitionProgress(offset=0)) for p in self.assigned}
