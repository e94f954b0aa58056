"""What the alert consumer asks of the ledger about each candidate pair, what the ledger answers, and whom it asks."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from typing_extensions import override

from storage.ledger_entry import NO_DAY, NO_ID


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One candidate pair of one score request, and whether it passes now.

    `partition`, `offset`, `request_ms` and `request_id` are the request's (`LedgerEntry`). `day`: the event-time day
    (`schemas.keys.day_of`) on which the alert would count; `top_k`: the search's alerts a day, 0 for no limit.
    """

    alert_id: str
    search_id: str
    partition: int
    offset: int
    passes: bool
    day: int = NO_DAY
    top_k: int = 0
    request_ms: int = 0
    request_id: bytes = NO_ID


class ClaimVerdict(StrEnum):
    """The ledger's verdict on a claim."""

    SEND = "send"
    SUPPRESSED = "suppressed"  # the alert was sent, or another request of this step sends it
    OVER_QUOTA = "over_quota"
    NOT_PASSING = "not_passing"


class SentAlerts(Protocol):
    """Knows which alerts are out, for entries that do not say so."""

    def sent(self, since_ms: Mapping[str, int]) -> Collection[str]:
        """Those of these alert ids that were sent by a transaction that committed.

        `since_ms`: for each alert id a broker timestamp before which it was not sent, 0 for any time. Raises
        BrokersUnavailable.
        """
        ...


class NoneSent(SentAlerts):
    """Nothing is out without the ledger knowing: for a path without brokers, and for readers of the ledger."""

    @override
    def sent(self, since_ms: Mapping[str, int]) -> Collection[str]:
        """No alert."""
        return ()
