"""What the alert consumer asks of the ledger about each candidate pair, and what the ledger answers."""

from dataclasses import dataclass
from enum import StrEnum

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
