"""kafka-python's clients without brokers, as far as our code calls them; failures on request."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple

from kafka import TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.structs import MemberState, OffsetAndMetadata


class Record(NamedTuple):
    """What `KafkaConsumer.poll` gives."""

    topic: str
    partition: int
    offset: int
    timestamp: int = 0
    key: bytes | None = None
    value: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()


#: A control record of a transaction: it has an offset, and no consumer ever sees it.
CONTROL = None


class FakeConsumer:
    """Partitions of values (or `CONTROL`) by topic.

    `errors` are raised by the next polls instead of records; while it is `silent`, no broker says where a topic ends.
    """

    def __init__(self, topics: Mapping[str, Sequence[Sequence[bytes | None]]], most: int = 2) -> None:
        self.topics = {name: [list(values) for values in partitions] for name, partitions in topics.items()}
        self.positions: dict[TopicPartition, int] = {}
        self.errors: list[KafkaError] = []
        self.silent = False
        self.polls = 0
        self.closed = False
        self.generation = 0
        self.commits: dict[TopicPartition, OffsetAndMetadata] = {}
        self._most = most

    def partitions_for_topic(self, name: str) -> set[int] | None:
        return set(range(len(self.topics[name]))) if name in self.topics else None

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        self.positions = dict.fromkeys(partitions, 0)

    def assignment(self) -> set[TopicPartition]:
        return set(self.positions)

    def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        if not (partitions or self.positions):
            raise ValueError("No partitions are currently assigned")
        self.positions |= dict.fromkeys(partitions, 0)

    def seek_to_end(self, *partitions: TopicPartition) -> None:
        self.positions |= self.end_offsets(partitions)

    def group_metadata(self) -> Any:
        """Another generation for each rebalance; 0 while the member is in no group."""
        state = MemberState.STABLE if self.generation else MemberState.UNJOINED
        return SimpleNamespace(generation_id=self.generation, member_id="m", state=state)

    def committed(
        self, partition: TopicPartition, metadata: bool = False, timeout_ms: int = 0
    ) -> OffsetAndMetadata | None:
        del metadata, timeout_ms
        return self.commits.get(partition)

    def end_offsets(
        self, partitions: Iterable[TopicPartition], timeout_ms: int = 0
    ) -> dict[TopicPartition, int]:
        del timeout_ms
        if self.silent:
            raise KafkaTimeoutError("no answer")
        return {p: len(self.topics[p.topic][p.partition]) for p in partitions}

    def position(self, partition: TopicPartition, timeout_ms: int = 0) -> int:
        del timeout_ms
        return self.positions[partition]

    def poll(self, timeout_ms: int = 0) -> dict[TopicPartition, list[Record]]:
        del timeout_ms
        self.polls += 1
        if self.errors:
            raise self.errors.pop(0)
        return {p: records for p in self.positions if (records := self._read(p))}

    def _read(self, p: TopicPartition) -> list[Record]:
        first = self.positions[p]
        values = self.topics[p.topic][p.partition][first : first + self._most]
        self.positions[p] += len(values)
        return [
            Record(p.topic, p.partition, first + n, value=value, headers=[("n", b"%d" % n)])
            for n, value in enumerate(values)
            if value is not CONTROL
        ]

    def close(self, timeout_ms: int = 0) -> None:
        del timeout_ms
        self.closed = True


class Sent(NamedTuple):
    """One call of `KafkaProducer.send`."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]


@dataclass
class FakeFuture:
    """Like kafka-python's: while it is not done, `get` says that it timed out."""

    error: KafkaError | None = None
    is_done: bool = True

    def get(self, timeout: float) -> None:
        del timeout
        if self.error is not None or not self.is_done:
            raise self.error or KafkaTimeoutError("no answer yet")


@dataclass
class FakeProducer:
    """Keeps what is sent; with `error` every message fails when its future is asked, if `silent` none is answered."""

    error: KafkaError | None = None
    sent: list[Sent] = field(default_factory=list)
    closed: bool = False
    silent: bool = False

    def send(self, topic: str, *, key: Any, value: Any, headers: list[tuple[str, bytes]]) -> FakeFuture:
        self.sent.append(Sent(topic, key, value, dict(headers)))
        return FakeFuture(self.error, is_done=not self.silent)

    def close(self, timeout: float = 0) -> None:
        del timeout
        if self.silent:
            raise KafkaTimeoutError("Timeout waiting for future")
        self.closed = True
