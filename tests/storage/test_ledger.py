import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import StoreError, StoreUnavailable
from schemas.keys import alert_id
from storage.base import KeyValue, Merge
from storage.ledger import AlertLedger, Claim, LedgerEntry, Verdict
from storage.memory import MemoryStore
from storage.opening import open_store

SEND, SUPPRESSED, OVER, NOT = Verdict.SEND, Verdict.SUPPRESSED, Verdict.OVER_QUOTA, Verdict.NOT_PASSING


def claim(posting: str, offset: int, passes: bool = True, day: int = 1, top_k: int = 0) -> Claim:
    return Claim(
        alert_id=alert_id("s", posting, 0),
        search_id="s",
        partition=0,
        offset=offset,
        passes=passes,
        day=day,
        top_k=top_k,
    )


@pytest.fixture(params=["memory", "lmdb"])
def kv(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KeyValue]:
    store = open_store("memory:" if request.param == "memory" else f"lmdb://{tmp_path}/s?sync=os")
    yield store
    store.close()


def test_a_pair_is_sent_once_again_for_the_same_request_and_never_for_another(kv: KeyValue) -> None:
    ledger = AlertLedger(kv)
    assert ledger.settle_many([claim("p", 5), claim("q", 5, passes=False)]) == [SEND, NOT]
    assert ledger.settle_many([claim("p", 5), claim("q", 5, passes=False)]) == [SEND, NOT]
    assert ledger.settle_many([claim("p", 9), claim("q", 9)]) == [SUPPRESSED, SEND]
    assert ledger.settle_many([replace(claim("p", 5), partition=1)]) == [SUPPRESSED]
    held = ledger.entries([alert_id("s", "p", 0), alert_id("s", "q", 0), alert_id("s", "r", 0)])
    assert held == [LedgerEntry(partition=0, offset=5), LedgerEntry(partition=0, offset=9), None]


def test_a_pair_that_no_longer_passes_in_its_own_request_is_released_for_a_later_one(kv: KeyValue) -> None:
    ledger = AlertLedger(kv)
    assert ledger.settle_many([claim("p", 5)]) == [SEND]
    assert ledger.settle_many([claim("p", 7, passes=False)]) == [NOT]
    assert ledger.settle_many([claim("p", 8)]) == [SUPPRESSED]
    assert ledger.settle_many([claim("p", 5, passes=False)]) == [NOT]
    assert ledger.entries([alert_id("s", "p", 0)]) == [None]
    assert ledger.settle_many([claim("p", 9)]) == [SEND]


def test_of_several_requests_in_one_poll_the_first_sends_and_duplicates_in_one_send_once(
    kv: KeyValue,
) -> None:
    ledger = AlertLedger(kv)
    poll = [claim("p", 5, passes=False), claim("p", 6), claim("p", 6), claim("p", 7)]
    assert ledger.settle_many(poll) == [NOT, SEND, SUPPRESSED, SUPPRESSED]
    assert ledger.settle_many(poll) == [NOT, SEND, SUPPRESSED, SUPPRESSED]
    assert ledger.settle_many([]) == []


def test_a_quota_is_given_in_order_and_what_found_none_stays_free_for_another_day(kv: KeyValue) -> None:
    ledger = AlertLedger(kv)
    request = [claim(name, 5, top_k=2) for name in "abc"]
    assert ledger.settle_many(request) == [SEND, SEND, OVER]
    assert ledger.settle_many(request) == [SEND, SEND, OVER]
    assert ledger.settle_many([claim("c", 6, top_k=2)]) == [OVER]
    assert ledger.settle_many([claim("a", 7, day=2, top_k=2), claim("c", 7, day=2, top_k=2)]) == [
        SUPPRESSED,
        SEND,
    ]
    assert ledger.settle_many([claim("d", 8, day=2, top_k=2), claim("e", 8, day=2, top_k=2)]) == [SEND, OVER]


def test_a_suppressed_pair_uses_no_quota_and_a_released_one_gives_it_back(kv: KeyValue) -> None:
    ledger = AlertLedger(kv)
    assert ledger.settle_many([claim("a", 5)]) == [SEND]
    assert ledger.settle_many([claim("a", 6, top_k=1), claim("b", 6, top_k=1)]) == [SUPPRESSED, SEND]
    # The pair's posting has moved on to another day by the time that the request comes again.
    assert ledger.settle_many([claim("b", 6, passes=False, day=2, top_k=1)]) == [NOT]
    assert ledger.settle_many([claim("c", 7, top_k=1)]) == [SEND]
    assert ledger.settle_many([claim("c", 7, day=2, top_k=1), claim("d", 7, day=2, top_k=1)]) == [SEND, SEND]


@pytest.mark.parametrize("url", ["memory:", "lmdb:"])
def test_an_entry_and_a_quota_live_until_their_ttl_and_are_gone_from_that_instant(
    url: str, tmp_path: Path
) -> None:
    now = [1_000.0]
    kv = open_store("memory:" if url == "memory:" else f"lmdb://{tmp_path}/s?sync=os", lambda: now[0])
    ledger = AlertLedger(kv, ttl_s=500.0)
    assert ledger.settle_many([claim("a", 5, top_k=1)]) == [SEND]
    now[0] += 499.0
    # looked at again, and again: that does not prolong it
    assert ledger.settle_many([claim("a", 5, top_k=1)]) == [SEND]
    assert ledger.settle_many([claim("a", 6, top_k=1), claim("b", 6, top_k=1)]) == [SUPPRESSED, OVER]
    assert (ledger.quota_used("s", 1), ledger.entries([claim("a", 5).alert_id])) == (
        1,
        [LedgerEntry(partition=0, offset=5)],
    )
    now[0] += 1.0
    assert (ledger.quota_used("s", 1), ledger.entries([claim("a", 5).alert_id])) == (0, [None])
    assert ledger.settle_many([claim("a", 6, top_k=1)]) == [SEND]
    kv.close()


def test_without_a_setting_an_entry_outlives_a_year() -> None:
    now = [0.0]
    ledger = AlertLedger(MemoryStore(lambda: now[0]))
    ledger.settle_many([claim("a", 5)])
    now[0] = 399 * 86_400.0
    assert ledger.settle_many([claim("a", 6)]) == [SUPPRESSED]
    now[0] = 400 * 86_400.0
    assert ledger.settle_many([claim("a", 6)]) == [SEND]


def test_the_quota_used_is_counted_by_search_and_day() -> None:
    ledger = AlertLedger(MemoryStore(lambda: 0.0))
    ledger.settle_many([claim(name, 5, top_k=2) for name in "abc"])
    ledger.settle_many([claim("d", 6, day=2, top_k=2), claim("e", 6)])
    assert [ledger.quota_used("s", day) for day in (1, 2, 3)] == [2, 1, 0]
    assert ledger.quota_used("another", 1) == 0


class Cut(Exception):
    """The process dies here."""


class Cutting:
    """Passes calls on until its budget is spent, then dies before or after the call that spends it."""

    def __init__(self, kv: KeyValue, calls: int, *, after: bool) -> None:
        self.kv, self.left, self.after = kv, calls, after
        self.get_many, self.put_many, self.scan, self.close = kv.get_many, kv.put_many, kv.scan, kv.close

    def merge_many(
        self, keys: Sequence[bytes], merge: Merge, *, ttl_s: float | None = None
    ) -> list[bytes | None | StoreError]:
        self.left -= 1
        if self.left == 0 and not self.after:
            raise Cut
        done = self.kv.merge_many(keys, merge, ttl_s=ttl_s)
        if self.left == 0:
            raise Cut
        return done


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 1_000_000))
def test_cut_off_anywhere_and_repeated_each_pair_is_sent_once_and_no_quota_leaks(seed: int) -> None:
    rng = random.Random(seed)
    top_k = rng.choice([0, 1, 2])
    kv = MemoryStore(lambda: 0.0)
    committed: list[str] = []
    for offset in range(6):
        names = rng.sample("abcdef", rng.randint(1, 4))
        # A request is repeated until it commits; each time the features, so what passes, may have changed.
        for attempt in range(4):
            request = [claim(name, offset, rng.random() < 0.6, day=1, top_k=top_k) for name in names]
            budget = rng.randint(1, 5) if attempt < 3 else 1_000
            try:
                verdicts = AlertLedger(Cutting(kv, budget, after=rng.random() < 0.5)).settle_many(request)
            except Cut:
                continue
            if attempt == 3 or rng.random() < 0.5:
                break
        sent = [c.alert_id for c, verdict in zip(request, verdicts, strict=True) if verdict is SEND]
        room = top_k - len(committed) if top_k else len(names)
        free = [c.alert_id for c in request if c.passes and c.alert_id not in committed]
        assert sent == free[:room] if top_k == 0 or len(free) <= room else len(sent) == room
        committed += sent
    assert len(set(committed)) == len(committed)


def test_a_failed_entry_is_raised_so_that_the_poll_is_repeated() -> None:
    class Failing(MemoryStore):
        def merge_many(
            self, keys: Sequence[bytes], merge: Merge, *, ttl_s: float | None = None
        ) -> list[bytes | None | StoreError]:
            return [StoreUnavailable(f"one of {len(keys)} failed; {merge} {ttl_s}")]

    with pytest.raises(StoreUnavailable, match="one of 1"):
        AlertLedger(Failing(lambda: 0.0)).settle_many([claim("p", 5)])
