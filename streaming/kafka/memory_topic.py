"""A Kafka topic in memory, for tests and debuggers."""

from collections.abc import Collection, Mapping

from streaming.kafka.messages import Message


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
        """Append one message and return it, with its offset."""
        messages = self.partitions[partition]
        message = Message(self.name, partition, len(messages), timestamp_ms, key, value, headers or {})
        messages.append(message)
        return message

    def read(self, positions: dict[int, int], most: int, skip: Collection[int] = ()) -> list[Message]:
        """Read up to `most` messages of each partition from its position on, and move the position behind them."""
        found = []
        for number, messages in enumerate(self.partitions):
            if number not in skip:
                batch = messages[positions[number] : positions[number] + most]
                positions[number] += len(batch)
                found += batch
        return found
