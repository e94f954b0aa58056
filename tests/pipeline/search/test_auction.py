"""Promoted places: bounded loss, second prices, budgets that are kept and spread over the day."""

import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typing_extensions import override

from pipeline.search.auction import Auction, dcg
from pipeline.search.campaigns import Campaign, read_campaigns
from pipeline.search.index import Found
from pipeline.search.pacing import DAY_S, EVEN, Pacer, planned
from pipeline.search.results import Ranked
from schemas.errors import ConfigError, StoreUnavailable
from storage.memory import MemoryStore
from storage.spend import SpendLedger


def ranked(*scores: float) -> list[Ranked]:
    """Postings p0, p1, ... with these scores, best first."""
    ordered = sorted(scores, reverse=True)
    return [Ranked(found=Found(posting_id=f"p{n}", version=1), p_yes=one) for n, one in enumerate(ordered)]


def campaign(name: str, *postings: str, bid: int = 100, budget: int = 10_000) -> Campaign:
    return Campaign(name=name, bid=bid, budget=budget, postings=frozenset(postings))


class Market:
    """An auction over a ledger in memory, at a time of day that a test sets."""

    def __init__(self, *campaigns: Campaign, **how: float) -> None:
        self.now = DAY_S - 1.0
        self.ledger = SpendLedger(MemoryStore(time.time))
        self.auction = Auction(campaigns, Pacer(self.ledger, lambda: self.now), **how)  # type: ignore[arg-type]

    def ids(self, *scores: float, shown: int = 10) -> list[str]:
        return [one.found.posting_id for one in self.auction.place(ranked(*scores), shown)]

    def spent(self, name: str) -> int:
        return self.ledger.spent([name], int(self.now // DAY_S))[0]


SCORES = st.lists(st.floats(0.01, 1), min_size=1, max_size=30)


@settings(deadline=None)
@given(
    SCORES, st.sets(st.integers(0, 29), max_size=8), st.floats(0, 0.5), st.integers(1, 10), st.integers(0, 4)
)
@example(scores=[1.0, 1.0, 1.0], promoted={0, 1, 2}, loss=0.0, shown=2, most=2)
def test_no_promotion_costs_a_search_more_than_the_bound(
    scores: list[float], promoted: set[int], loss: float, shown: int, most: int
) -> None:
    campaigns = [campaign(f"c{n}", f"p{n}", bid=n + 1) for n in promoted]
    market = Market(*campaigns, loss=loss, promoted=most)
    before = ranked(*scores)

    after = market.auction.place(before, shown)

    assert sorted(one.found.posting_id for one in after) == sorted(one.found.posting_id for one in before)
    assert dcg(after) >= (1 - loss) * dcg(before) - 1e-9
    given = [one for one in after if one.promotion is not None]
    assert len(given) <= most
    for one in given:
        assert one.promotion is not None
        assert after.index(one) + 1 == one.promotion.place <= shown
        assert one.promotion.place < one.promotion.organic_place
        assert market.spent(one.promotion.campaign) == one.promotion.price
    organic = [one.found.posting_id for one in after if one.promotion is None]
    assert organic == [one.found.posting_id for one in before if one.found.posting_id in organic]


def test_a_promoted_posting_takes_the_highest_place_that_the_bound_allows() -> None:
    assert Market(campaign("c", "p2"), loss=0.5).ids(0.9, 0.8, 0.7) == ["p2", "p0", "p1"]
    assert Market(campaign("c", "p2"), loss=0.02).ids(0.9, 0.8, 0.7) == ["p0", "p2", "p1"]
    assert Market(campaign("c", "p2"), loss=0.0).ids(0.9, 0.8, 0.7) == ["p0", "p1", "p2"]


def test_the_price_is_what_the_next_bid_would_have_needed() -> None:
    market = Market(campaign("high", "p2", bid=100), campaign("low", "p3", bid=60), loss=0.9, promoted=1)
    assert market.ids(0.9, 0.8, 0.5, 0.5)[0] == "p2"
    assert market.spent("high") == 60
    alone = Market(campaign("alone", "p2"), loss=0.9, reserve=7)
    alone.ids(0.9, 0.8, 0.5)
    assert alone.spent("alone") == 7


def test_relevance_counts_beside_the_bid() -> None:
    market = Market(campaign("rich", "p2", bid=100), campaign("fitting", "p1", bid=60), loss=0.9, promoted=1)
    assert market.ids(0.9, 0.8, 0.1)[0] == "p1"


def test_a_budget_is_never_overspent_and_nothing_is_promoted_once_it_is_gone() -> None:
    market = Market(campaign("c", "p1", bid=40, budget=100), loss=0.9, reserve=40)
    promoted = [market.ids(0.9, 0.8)[0] == "p1" for _ in range(5)]
    assert promoted == [True, True, False, False, False]
    assert market.spent("c") == 80
    market.now += DAY_S
    assert market.ids(0.9, 0.8)[0] == "p1"  # the next day has a budget of its own


def test_spending_follows_the_day_and_is_never_ahead_by_more_than_one_price() -> None:
    market = Market(campaign("c", "p1", bid=10, budget=2_400), loss=0.9, reserve=10)
    for minute in range(24 * 60):
        market.now = minute * 60.0
        market.ids(0.9, 0.8)
        assert market.spent("c") <= planned(market.now) * 2_400 + 10
    assert market.spent("c") >= 2_390


def test_a_plan_follows_when_searches_come() -> None:
    evening = (*[0.0] * 18, *[1.0] * 6)
    assert planned(17 * 3600, evening) == 0
    assert planned(21 * 3600, evening) == 0.5
    assert planned(12 * 3600) == 0.5
    with pytest.raises(ConfigError, match="24 weights"):
        Pacer(SpendLedger(MemoryStore(time.time)), time.time, EVEN[1:])


class DownLedger(SpendLedger):
    @override
    def spent(self, campaigns: Sequence[str], day: int) -> list[int]:
        raise StoreUnavailable("down")


def test_while_the_store_is_away_nothing_is_promoted() -> None:
    ledger = DownLedger(MemoryStore(time.time))
    auction = Auction([campaign("c", "p1")], Pacer(ledger, lambda: 0.0), loss=0.9)
    assert auction.place(ranked(0.9, 0.8), 10) == ranked(0.9, 0.8)


def test_two_processes_together_keep_a_budget() -> None:
    kv = MemoryStore(time.time)
    one, other = SpendLedger(kv), SpendLedger(kv)
    assert one.charge("c", 1, 60, 100)
    assert not other.charge("c", 1, 60, 100)
    assert other.charge("c", 1, 40, 100)
    assert one.spent(["c", "unknown"], 1) == [100, 0]


FILE = """
[[campaign]]
name = "acme"
bid = 80
budget = 5_000
postings = ["p1", "p2"]
"""


def test_campaigns_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "campaigns.toml"
    path.write_text(FILE)
    assert read_campaigns(path) == [campaign("acme", "p1", "p2", bid=80, budget=5_000)]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (FILE + FILE, "'acme' stands there twice"),
        (FILE.replace("80", "0"), "bid must be above 0 and at most budget"),
        (FILE.replace("80", "0.5"), "bid must be a whole number"),
        (FILE.replace("bid", "bids"), "a campaign has no 'bids'"),
        (FILE.replace('["p1", "p2"]', "[]"), "promotes no posting"),
        (FILE.replace('["p1", "p2"]', "[1]"), "postings must be a list of posting ids"),
        ("[[", "campaigns.toml: "),
        ("campaign = 3", "campaigns.toml: "),
    ],
)
def test_a_campaign_that_cannot_work_is_refused(tmp_path: Path, changed: str, why: str) -> None:
    path = tmp_path / "campaigns.toml"
    path.write_text(changed)
    with pytest.raises(ConfigError, match=why):
        read_campaigns(path)
