"""What the matcher's loop needs of Kafka: features to read, requests to send, and progress to commit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from streaming.kafka.messages import Message, Outgoing
from streaming.kafka.topic_watch import TopicIds
from streaming.searches.table import Offsets


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionProgress:
    """How far the matcher has come with one partition of `postings.features`.

    `offset`: the partition's next message. `searches_matched`: offsets of the topic `searches`; every search before
    them was matched with the stored postings of this partition. `topics`: the ids of the topics that this is about
    (`searches`, this topic and `score.requests`); once one of them is created anew, the rest is void. All are committed
    together, so that another instance that is assigned the partition continues with them.
    """

    offset: int
    searches_matched: Offsets = field(default_factory=dict)
    topics: TopicIds = field(default_factory=dict)


class FeatureLog(Protocol):
    """The matcher's membership in its consumer group on `postings.features`, and its producer."""

    def poll(self, timeout_s: float) -> list[Message]:
        """The next features, each partition in offset order."""
        ...

    def assignment(self) -> Mapping[int, PartitionProgress] | None:
        """The committed progress of every assigned partition, once after each rebalance; None at any other time.

        Also once after the topic was created anew: then every partition begins at its first message.
        """
        ...

    def partition_of(self, posting_id: str) -> int:
        """The partition on which the posting's features arrive."""
        ...

    def send(self, message: Outgoing) -> None:
        """Queue a message for sending; `commit` waits until the brokers have it."""
        ...

    def commit(self, progress: Mapping[int, PartitionProgress]) -> bool:
        """Wait until every message sent is acknowledged, then commit the progress.

        False when the group has rebalanced meanwhile: nothing is lost, the partitions' new owners read the same again.
        """
        ...
