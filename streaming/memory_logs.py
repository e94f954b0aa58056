"""Kafka's part of both loops in memory, with its failures on request: for tests and debuggers, one instance a group."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from streaming.feature_log import Progress
from streaming.messages import Message, Outgoing


class MemoryTopic:
    """A topic's partitions as lists; an offset is an index."""

    def __init__(self, name: str, partitions: int = 1) -> None:
        self.name = name
        self.partitions: list[list[Message]] = [[] for _ in range(partitions)]

    def append(
        self,
        value: bytes | None,
        *,
        key: bytes | None = None,
        partition: int = 0,
        timestamp_ms: int = 0,
        headers: Mapping[str, bytes] | None = None,
    ) -> Message:
        """Write one message; returns it with its offset."""
        messages = self.partitions[partition]
        message = Message(self.name, partition, len(messages), timestamp_ms, key, value, headers or {})
        messages.append(message)
        return message

    def read(self, positions: dict[int, int], most: int, skip: Collection[int] = ()) -> list[Message]:
        """Up to `most` messages of each partition from its position, which moves behind them."""
        found = []
        for number, messages in enumerate(self.partitions):
            if number not in skip:
                batch = messages[positions[number] : positions[number] + most]
                positions[number] += len(batch)
                found += batch
        return found


class MemorySearches:
    """`SearchFeed` over a topic."""

    def __init__(self, topic: MemoryTopic) -> None:
        self._topic = topic
        self._positions: dict[int, int] = defaultdict(int)

    def read_to_end(self, stopped: Callable[[], bool]) -> Iterator[Message]:
        """See SearchFeed."""
        return iter([] if stopped() else self.poll())

    def poll(self) -> list[Message]:
        """See SearchFeed."""
        return self._topic.read(self._positions, 1_000_000)


class MemoryFeatures:
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

    def poll(self, timeout_s: float) -> list[Message]:
        """See FeatureLog."""
        del timeout_s
        if self._rebalanced:
            self._positions = {p: done.offset for p, done in self._progress().items()}
        others = set(range(len(self._topic.partitions))) - self.assigned
        return self._topic.read(self._positions, 10, skip=others)

    def assignment(self) -> Mapping[int, Progress] | None:
        """See FeatureLog."""
        changed, self._rebalanced = self._rebalanced, False
        return self._progress() if changed else None

    def partition_of(self, posting_id: str) -> int:
        """See FeatureLog: any stable choice will do, if tests append accordingly."""
        return sum(posting_id.encode()) % len(self._topic.partitions)

    def send(self, message: Outgoing) -> None:
        """See FeatureLog."""
        self.out.append(message)

    def commit(self, progress: Mapping[int, Progress]) -> bool:
        """See FeatureLog."""
        if self.refuse_commits:
            return False
        self.committed.update(progress)
        return True

    def _progress(self) -> dict[int, Progress]:
        return {p: self.committed.get(p, Progress(offset=0)) for p in self.assigned}


class MemoryRequests:
    """`RequestLog` over a topic. `committed` and `out` survive a process; `refuse` aborts the next transactions."""

    def __init__(self, topic: MemoryTopic, committed: dict[int, int], out: list[Outgoing]) -> None:
        self.committed = committed
        self.out = out
        self.refuse = 0
        self.paused: set[int] = set()
        self._topic = topic
        self._positions: dict[int, int] = defaultdict(int, committed)

    def poll(self, timeout_s: float) -> list[Message]:
        """See RequestLog."""
        del timeout_s
        return self._topic.read(self._positions, 50, skip=self.paused)

    def transact(self, messages: Sequence[Outgoing], offsets: Mapping[int, int]) -> bool:
        """See RequestLog."""
        if self.refuse:
            self.refuse -= 1
            return False
        self.out += messages
        self.committed.update(offsets)
        for message in messages:
            if message.topic == self._topic.name:
                self._topic.append(message.value, key=message.key)
        return True

    def rewind(self, offsets: Mapping[int, int]) -> None:
        """See RequestLog."""
        self._positions.update(offsets)

    def pause(self, partitions: Collection[int] | None) -> None:
        """See RequestLog."""
        self.paused |= set(range(len(self._topic.partitions)) if partitions is None else partitions)

    def resume(self) -> None:
        """See RequestLog."""
        self.paused.clear()
