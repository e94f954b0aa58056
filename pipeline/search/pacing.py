"""Spread a campaign's daily budget over the day: it bids while it has not spent more than its plan up to now."""

from collections.abc import Callable, Sequence
from math import fsum, isfinite

from pipeline.search.campaigns import Campaign
from schemas.errors import ConfigError
from storage.spend import SpendLedger

DAY_S = 86_400
HOUR_S = 3_600
HOURS = 24
#: Searches come evenly over the day.
EVEN = (1.0,) * HOURS


class Pacer:
    """What campaigns may spend now. `clock`: UTC seconds.

    `hours`: 24 weights, how many of a day's searches come in each hour (UTC): the plan follows them, so that money is
    left for the evening and is not gone at breakfast. A campaign is never ahead of its plan by more than one price.
    """

    def __init__(
        self, ledger: SpendLedger, clock: Callable[[], float], hours: Sequence[float] = EVEN
    ) -> None:
        if len(hours) != HOURS or not all(isfinite(one) and one >= 0 for one in hours) or not any(hours):
            raise ConfigError(
                f"the plan of a day takes {HOURS} weights of at least 0, not all 0, not {list(hours)}"
            )
        self._ledger, self._clock, self._hours = ledger, clock, tuple(hours)

    def bidding(self, campaigns: Sequence[Campaign]) -> list[Campaign]:
        """Those of the campaigns that are not ahead of their plans. Raises StoreUnavailable."""
        if not campaigns:
            return []
        now = self._clock()
        share = planned(now, self._hours)
        spent = self._ledger.spent([one.name for one in campaigns], int(now // DAY_S))
        return [one for one, sum_ in zip(campaigns, spent, strict=True) if sum_ <= share * one.budget]

    def charge(self, campaign: Campaign, price: int) -> bool:
        """Spend a price; False when the day's budget has no room for it. Raises StoreUnavailable and StoreError."""
        return self._ledger.charge(campaign.name, int(self._clock() // DAY_S), price, campaign.budget)


def planned(now_s: float, hours: Sequence[float] = EVEN) -> float:
    """The share of a day's budget that is planned to be spent by now, 0 to 1."""
    hour, into = divmod(now_s % DAY_S, HOUR_S)
    done = fsum(hours[: int(hour)]) + hours[int(hour)] * into / HOUR_S
    return done / fsum(hours)
