"""What the alert consumer's loop stands on: its log, its step, and what one turn has settled."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pipeline.alert import AlertBatch, Located
from schemas.records import Alert
from streaming.messages import Message, Outgoing


class RequestLog(Protocol):
    """The consumer's group on `score.requests` and its transactions. Partitions that have gone to others are ignored."""

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


@dataclass(slots=True)
class Turn:
    """What one turn settles: messages and next offsets for the transaction, and where each partition is read again."""

    out: list[Outgoing] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    offsets: dict[int, int] = field(default_factory=dict)
    unsettled: dict[int, int] = field(default_factory=dict)

    def leave(self, messages: Sequence[Message]) -> None:
        """Not settled now; nor is anything behind them on their partitions."""
        for message in messages:
            first = self.unsettled.get(message.partition, message.offset)
            self.unsettled[message.partition] = min(first, message.offset)

    def open(self, messages: Sequence[Message]) -> list[Message]:
        """Those with nothing unsettled before them."""
        return [m for m in messages if m.offset < self.unsettled.get(m.partition, m.offset + 1)]

    def settle(self, messages: Sequence[Message]) -> None:
        """Done: their offsets go into the transaction."""
        for message in messages:
            self.offsets[message.partition] = message.offset + 1
