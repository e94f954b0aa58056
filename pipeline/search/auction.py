"""Promoted postings among the results: an auction for few places, whose cost in relevance is bounded.

A promoted posting is one that the search found and scored anyway. Its value is its campaign's bid times `p_yes`. In the
order of value each takes the highest place at which the loss of the whole page stays within the bound, and pays the
least bid with which it would have kept its place before the next one (a second price, by quality).

The loss is 1 - DCG@10 of the order shown / DCG@10 of the order by relevance, with `p_yes` as gain. With a ranker whose
`p_yes` is the share of relevant pairs (`models/calibration.py`), that is the loss of expected DCG@10.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil, log2

from typing_extensions import override

from pipeline.search.campaigns import Campaign
from pipeline.search.pacing import Pacer
from pipeline.search.placing import Placing
from pipeline.search.results import Promotion, Ranked
from schemas.errors import ConfigError, StoreError

log = logging.getLogger(__name__)

#: The places that DCG looks at.
TOP = 10


class Auction(Placing):
    """Gives at most `promoted` of the first places to campaigns, with a loss of at most `loss` of DCG@10.

    `reserve`: the least price of a place. Prices are charged when the place is given; a campaign whose budget has no
    room gets none, and while the store does not answer nothing is promoted.
    """

    def __init__(
        self,
        campaigns: Sequence[Campaign],
        pacer: Pacer,
        *,
        promoted: int = 2,
        loss: float = 0.02,
        reserve: int = 1,
    ) -> None:
        if not 0 <= loss < 1:
            raise ConfigError(f"the loss by promotions must be at least 0 and below 1, not {loss:g}")
        self._pacer, self._promoted, self._loss, self._reserve = pacer, promoted, loss, reserve
        self._of = by_posting(campaigns)

    @override
    def place(self, ranked: Sequence[Ranked], shown: int) -> list[Ranked]:
        """Promotes within the first `shown` places, and never a posting to a lower place than it has."""
        try:
            return self._place(ranked, min(shown, TOP))
        except StoreError as error:
            log.warning("nothing is promoted: %s", error)
            return list(ranked)

    def _place(self, ranked: Sequence[Ranked], shown: int) -> list[Ranked]:
        order = list(ranked)
        bids = self._bids(ranked)
        first = 0
        for number, (_, one, campaign) in enumerate(bids):
            if first >= min(self._promoted, shown):
                break
            place = self._highest(ranked, order, one, first, shown)
            if place is None:
                continue
            price = self._price(one, campaign, bids[number + 1][0] if number + 1 < len(bids) else 0.0)
            if not self._pacer.charge(campaign, price):
                continue
            organic = ranked.index(one) + 1
            promotion = Promotion(campaign=campaign.name, place=place + 1, organic_place=organic, price=price)
            order.remove(one)
            order.insert(place, replace(one, promotion=promotion))
            first = place + 1
        return order

    def _bids(self, ranked: Sequence[Ranked]) -> list[tuple[float, Ranked, Campaign]]:
        """What is offered for each posting that a campaign promotes and that may bid now, the most valuable first."""
        asked = {one.name: one for hit in ranked for one in self._of.get(hit.found.posting_id, ())}
        may = {one.name for one in self._pacer.bidding(list(asked.values()))}
        bids = [
            (campaign.bid * (hit.p_yes or 0.0), hit, campaign)
            for hit in ranked
            for campaign in self._of.get(hit.found.posting_id, ())
            if campaign.name in may and campaign.bid >= self._reserve
        ]
        best: dict[str, tuple[float, Ranked, Campaign]] = {}
        for bid in sorted(bids, key=lambda bid: (-bid[0], bid[2].name)):
            best.setdefault(bid[1].found.posting_id, bid)
        return list(best.values())

    def _highest(
        self, ranked: Sequence[Ranked], order: list[Ranked], one: Ranked, first: int, shown: int
    ) -> int | None:
        """The highest place from `first` on, above the one without promotions, that the bound allows, or None.

        A posting that another promotion pushed down does not pay to get its own place back.
        """
        bound = (1 - self._loss) * dcg(ranked)
        organic = ranked.index(one)
        rest = [other for other in order if other is not one]
        for place in range(first, min(organic, shown)):
            if dcg([*rest[:place], one, *rest[place:]]) >= bound:
                return place
        return None

    def _price(self, one: Ranked, campaign: Campaign, next_value: float) -> int:
        needed = ceil(next_value / one.p_yes) if one.p_yes else campaign.bid
        return min(campaign.bid, max(self._reserve, needed))


def dcg(order: Sequence[Ranked]) -> float:
    """Discounted cumulative gain of the first ten, with `p_yes` as gain."""
    return sum((one.p_yes or 0.0) / log2(place + 1) for place, one in enumerate(order[:TOP], 1))


def by_posting(campaigns: Sequence[Campaign]) -> Mapping[str, Sequence[Campaign]]:
    """The campaigns of each posting."""
    found: dict[str, list[Campaign]] = {}
    for campaign in campaigns:
        for posting in sorted(campaign.postings):
            found.setdefault(posting, []).append(campaign)
    return found
