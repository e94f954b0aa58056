"""What the alert consumer's loop needs of its log of score requests, and of the step that scores them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from pipeline.alert import AlertBatch, Located
from streaming.kafka.messages import Message, Outgoing


class RequestLog(Protocol):
    """The consumer's group on `score.requests` and its transactions; partitions that went to others are ignored."""

    def poll(self, timeout_s: float) -> list[Message]:
        """The next requests, each partition in offset order."""
        ...

    def transact(self, messages: Sequence[Outgoing], offsets: Mapping[int, int]) -> bool:
        """Write the messages and commit the next offsets, all or nothing. False: aborted, read it all again."""
        ...

    def rewind(self, offsets: Mapping[int, int]) -> None:
        """Read these partitions again from these offsets."""
        ...

    def pause(self, partitions: Collection[int] | None) -> None:
        """Poll without fetching from these (None: all that are assigned)."""
        ...

    def resume(self) -> None:
        """Fetch from all again."""
        ...


class Step(Protocol):
    """`pipeline.alert.AlertStep`."""

    def run(self, requests: Sequence[Located]) -> AlertBatch:
        """Alerts to send; may be repeated with the same requests. Raises OUTAGES."""
        ...

    def release(self, requests: Sequence[Located]) -> None:
        """Forget what these candidates claimed: nothing of theirs will be sent. Raises OUTAGES."""
        ...
