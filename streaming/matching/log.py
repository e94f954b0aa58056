"""What the matcher's loop stands on: its group on the features topic, and how far each partition is done."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from streaming.kafka.messages import Message, Outgoing
from streaming.searches.table import Offsets


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one partition of `postings.features` is done.

    `offset` is its next message; its stored postings have met every search before the offsets `met`. Both are
    committed together, so they move together when the partition goes to another instance.
    """

    offset: int
    met: Offsets = field(default_factory=dict)


class FeatureLog(Protocol):
    """The matcher's group on `postings.features`, and the way out."""

    def poll(self, timeout_s: float) -> list[Message]:
        """The next features, each partition in offset order."""
        ...

    def assignment(self) -> Mapping[int, Progress] | None:
        """The committed progress of every partition held, once after each rebalance; else None."""
        ...

    def partition_of(self, posting_id: str) -> int:
        """The partition on which the posting's features arrive."""
        ...

    def send(self, message: Outgoing) -> None:
        """Write soon; `commit` waits for it."""
        ...

    def commit(self, progress: Mapping[int, Progress]) -> bool:
        """Wait until all that was sent is acknowledged, then commit. False: the group moved on, nothing is lost."""
        ...
