"""What the alert consumer's loop needs: score requests to read, transactions to write, and a step that scores."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from pipeline.alert import AlertBatch, Located
from schemas.records import Alert
from streaming.kafka.messages import Message, Outgoing


class RequestLog(Protocol):
    """The alert consumer's membership in its group on `score.requests`, and its transactions.

    Calls that name a partition which is not assigned any more have no effect on it.
    """

    def poll(self, timeout_s: float) -> list[Message]:
        """The next requests, each partition in offset order."""
        ...

    def transact(self, messages: Sequence[Outgoing], offsets: Mapping[int, int]) -> bool:
        """Write the messages and commit the partitions' next offsets, all or nothing.

        False when the transaction was aborted: the caller reads the same requests again.
        """
        ...

    def rewind(self, offsets: Mapping[int, int]) -> None:
        """Read each of these partitions again from its offset."""
        ...

    def pause(self, partitions: Collection[int] | None) -> None:
        """Let `poll` leave out these partitions (None: all that are assigned)."""
        ...

    def resume(self) -> None:
        """Let `poll` read from all partitions again."""
        ...


class RequestStep(Protocol):
    """Turns score requests into alerts, as `pipeline.alert.AlertStep` does."""

    def run(self, requests: Sequence[Located], depth: int | None = None) -> AlertBatch:
        """The alerts of these requests, of each at most `depth` candidates scored; may be called again with them.

        Raises STEP_OUTAGES.
        """
        ...

    def release(self, requests: Sequence[Located]) -> None:
        """Withdraw the ledger claims of these candidates, none of which will alert. Raises STEP_OUTAGES."""
        ...

    def transacted(self, alerts: Sequence[Alert], *, committed: bool) -> None:
        """Note how a turn's transaction ended, which held these alerts. Never raises."""
        ...
