"""What one turn of the alert consumer settles."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.records import Alert
from streaming.kafka.messages import Message, Outgoing


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
