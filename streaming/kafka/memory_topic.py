"""A Kafka topic in memory, for tests and debuggers."""

from collections.abc import Collection, Mapping

from streaming.kafka.messages import Message


class MemoryTopic:
    """A topic's partitions as lists; an offset is an index. `topic_id`: another one after each `create_anew`."""

    def __init__(self, name: str, partitions: int = 1) -> None:
        self.name = name
        self.topic_id = 0
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

    def create_anew(self) -> None:
        """Delete the topic and create it again, empty."""
        self.topic_id += 1
        self.partitions = [[] for _ in self.partitions]

    def read(self, positions: dict[int, int], most: int, skip: Collection[int] = ()) -> list[Message]:
        """Read up to `most` messages of each partition from its position on, and move the position behind them.

        A position behind the partition's end is one of a former topic, and reading begins at the first message.
        """
        found = []
        for number, messages in enumerate(self.partitions):
            if number not in skip:
                if positions[number] > len(messages):
                    positions[number] = 0
                batch = messages[positions[number] : positions[number] + most]
                positions[number] += len(batch)
                found += batch
        return found
