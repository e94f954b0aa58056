"""The results of one turn of the alert consumer."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.records import Alert
from streaming.kafka.messages import Message, Outgoing


@dataclass(slots=True)
class Turn:
    """What one turn sends and commits, and what it postpones.

    `out`, `alerts` and `offsets` (next offset by partition) go into the turn's transaction.
    `postponed`: the offset from which a partition is read again in a later turn.
    """

    out: list[Outgoing] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    offsets: dict[int, int] = field(default_factory=dict)
    postponed: dict[int, int] = field(default_factory=dict)

    def postpone(self, messages: Sequence[Message]) -> None:
        """Leave these messages, and all messages behind them on their partitions, to a later turn."""
        for message in messages:
            first = self.postponed.get(message.partition, message.offset)
            self.postponed[message.partition] = min(first, message.offset)

    def without_postponed(self, messages: Sequence[Message]) -> list[Message]:
        """The messages that stand before any postponed one of their partition."""
        return [m for m in messages if m.offset < self.postponed.get(m.partition, m.offset + 1)]

    def settle(self, messages: Sequence[Message]) -> None:
        """Commit the offsets behind these messages with the turn's transaction."""
        for message in messages:
            self.offsets[message.partition] = message.offset + 1
