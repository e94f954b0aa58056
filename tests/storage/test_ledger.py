import random
import struct
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import BrokersUnavailable, StoreError, StoreUnavailable
from schemas.keys import alert_id, ledger_key, quota_key
from storage.base import KeyValue, Merge
from storage.claims import Claim, ClaimVerdict, SentAlerts
from storage.ledger import AlertLedger
from storage.ledger_entry import Sent
from storage.memory import MemoryStore
from storage.opening import open_store

SEND, SUPPRESSED, OVER, NOT = (
    ClaimVerdict.SEND,
    ClaimVerdict.SUPPRESSED,
    ClaimVerdict.OVER_QUOTA,
    ClaimVerdict.NOT_PASSING,
)


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


class Topic(SentAlerts):
    """The topic of alerts: what transactions that committed have sent."""

    def __init__(self) -> None:
        self.alerts: set[str] = set()
        self.asked: list[dict[str, int]] = []

    def sent(self, since_ms: Mapping[str, int]) -> Collection[str]:
        self.asked.append(dict(since_ms))
        return self.alerts & since_ms.keys()


class Broken(SentAlerts):
    def sent(self, since_ms: Mapping[str, int]) -> Collection[str]:
        raise BrokersUnavailable(f"nobody answers about {len(since_ms)} alerts")


def settle(ledger: AlertLedger, *claims: Claim) -> list[ClaimVerdict]:
    """Decide the claims, and end the transaction that holds their alerts with a commit."""
    verdicts = ledger.settle_many(claims)
    sent = [c.alert_id for c, verdict in zip(claims, verdicts, strict=True) if verdict is SEND]
    ledger.transacted(sent, committed=True)
    return verdicts


def test_a_pair_that_was_sent_is_sent_by_no_request_again_not_even_by_the_one_that_sent_it(
    kv: KeyValue,
) -> None:
    ledger, topic = AlertLedger(kv), Topic()
    assert settle(ledger, claim("p", 5), claim("q", 5, passes=False)) == [SEND, NOT]
    assert settle(ledger, claim("p", 5), claim("q", 5, passes=False)) == [SUPPRESSED, NOT]
    assert settle(ledger, claim("p", 9), claim("q", 9)) == [SUPPRESSED, SEND]
    after_a_restart = AlertLedger(kv, sent=topic)
    assert settle(after_a_restart, claim("p", 5), replace(claim("p", 5), partition=1)) == [SUPPRESSED] * 2
    held = ledger.entries([alert_id("s", name, 0) for name in "pqr"])
    assert [entry and (entry.offset, entry.sent) for entry in held] == [(5, Sent.SENT), (9, Sent.SENT), None]
    assert topic.asked == [], "an entry with its mark needs no answer of the brokers"


def test_a_pair_whose_transaction_was_cut_off_is_sent_again_unless_its_alert_is_out(kv: KeyValue) -> None:
    topic = Topic()
    for name in "pq":
        assert AlertLedger(kv).settle_many([replace(claim(name, 5), request_ms=70)]) == [SEND]
    topic.alerts.add(alert_id("s", "q", 0))
    restarted = AlertLedger(kv, sent=topic)
    assert settle(restarted, claim("p", 5), claim("q", 5)) == [SEND, SUPPRESSED]
    assert topic.asked == [{alert_id("s", "p", 0): 70, alert_id("s", "q", 0): 70}]
    assert settle(restarted, claim("p", 5), claim("q", 5)) == [SUPPRESSED, SUPPRESSED]
    assert len(topic.asked) == 1, "both are marked now"


@pytest.mark.parametrize("out", [False, True])
def test_a_request_that_never_came_back_keeps_no_later_one_from_alerting(kv: KeyValue, out: bool) -> None:
    topic = Topic()
    assert AlertLedger(kv).settle_many([claim("p", 5, top_k=1)]) == [SEND]
    topic.alerts |= {alert_id("s", "p", 0)} if out else set()
    ledger = AlertLedger(kv, sent=topic)
    assert settle(ledger, claim("p", 9, top_k=1)) == [SUPPRESSED if out else SEND]
    assert ledger.quota_used("s", 1) == 1, "the place of the first request has passed to the second"
    assert settle(ledger, claim("q", 9, top_k=1)) == [OVER]


def test_what_is_asked_and_tried_is_not_asked_again_until_a_transaction_fails(kv: KeyValue) -> None:
    topic = Topic()
    ledger = AlertLedger(kv, sent=topic)
    assert [ledger.settle_many([claim("p", 5)]) for _ in range(3)] == [[SEND]] * 3
    assert topic.asked == []
    ledger.transacted([alert_id("s", "p", 0)], committed=False)
    assert [ledger.settle_many([claim("p", 5)]) for _ in range(3)] == [[SEND]] * 3
    assert len(topic.asked) == 1
    ledger.transacted([alert_id("s", "p", 0)], committed=False)
    topic.alerts.add(alert_id("s", "p", 0))
    assert ledger.settle_many([claim("p", 5)]) == [SUPPRESSED], "the commit was done, its answer was lost"


def test_while_the_brokers_do_not_answer_nothing_is_decided(kv: KeyValue) -> None:
    AlertLedger(kv).settle_many([claim("p", 5)])
    before = list(kv.scan())
    with pytest.raises(BrokersUnavailable):
        AlertLedger(kv, sent=Broken()).settle_many([claim("p", 5), claim("q", 5)])
    assert list(kv.scan()) == before


def test_a_mark_that_the_store_did_not_take_is_made_with_the_next_one() -> None:
    class Away(MemoryStore):
        away = False

        def merge_many(
            self, keys: Sequence[bytes], merge: Merge, *, ttl_s: float | None = None
        ) -> list[bytes | None | StoreError]:
            if self.away:
                raise StoreUnavailable("away")
            return MemoryStore.merge_many(self, keys, merge, ttl_s=ttl_s)

    kv, topic = Away(lambda: 0.0), Topic()
    ledger = AlertLedger(kv, sent=topic)
    assert ledger.settle_many([claim("p", 5)]) == [SEND]
    kv.away = True
    ledger.transacted([alert_id("s", "p", 0)], committed=True)
    kv.away = False
    assert settle(ledger, claim("q", 6)) == [SEND]
    assert AlertLedger(kv, sent=Broken()).settle_many([claim("p", 7), claim("q", 7)]) == [SUPPRESSED] * 2


def test_an_entry_of_the_version_without_marks_is_understood(kv: KeyValue) -> None:
    topic = Topic()
    old = struct.Struct(">iqi")
    names = "abcd"
    kv.put_many([(ledger_key(alert_id("s", name, 0)), old.pack(0, 5, -1)) for name in names])
    topic.alerts.add(alert_id("s", "a", 0))
    ledger = AlertLedger(kv, sent=topic)
    # read again at the same place, a was sent, b was cut off; c comes from another place, d from a newer version
    claims = [claim("a", 5), claim("b", 5), claim("c", 6), replace(claim("d", 5), request_id=b"r" * 16)]
    assert settle(ledger, *claims) == [SUPPRESSED, SEND, SUPPRESSED, SUPPRESSED]
    assert topic.asked == [{alert_id("s", "a", 0): 0, alert_id("s", "b", 0): 0}]
    assert [entry and entry.sent for entry in ledger.entries([c.alert_id for c in claims])] == [
        Sent.SENT,
        Sent.SENT,
        Sent.UNMARKED,
        Sent.UNMARKED,
    ]
    assert settle(ledger, *claims) == [SUPPRESSED] * 4


def test_a_quota_of_an_entry_without_mark_is_given_back_when_its_request_no_longer_passes() -> None:
    kv = MemoryStore(lambda: 0.0)
    own = alert_id("s", "a", 0)
    kv.put_many(
        [
            (ledger_key(own), struct.pack(">iqi", 0, 5, 1)),
            (quota_key("s", 1), struct.pack(">iq16s", 0, 5, bytes.fromhex(own))),
        ]
    )
    ledger = AlertLedger(kv)
    assert ledger.quota_used("s", 1) == 1
    assert settle(ledger, claim("a", 5, passes=False, top_k=1), claim("b", 5, top_k=1)) == [NOT, SEND]
    assert ledger.quota_used("s", 1) == 1


def test_a_second_reading_under_the_same_id_is_the_same_request_wherever_it_stands(kv: KeyValue) -> None:
    named = replace(claim("p", 5), request_id=b"1" * 16)
    assert AlertLedger(kv).settle_many([named]) == [SEND]
    another = replace(named, request_id=b"2" * 16, passes=False)
    ledger = AlertLedger(kv)
    assert ledger.settle_many([another]) == [NOT]
    assert ledger.entries([named.alert_id])[0] is not None, (
        "another request at the same place releases nothing"
    )
    assert ledger.settle_many([replace(named, offset=77, passes=False)]) == [NOT]
    assert ledger.entries([named.alert_id]) == [None]


def test_a_pair_that_no_longer_passes_in_its_own_request_is_released_for_a_later_one(kv: KeyValue) -> None:
    ledger = AlertLedger(kv)
    assert ledger.settle_many([claim("p", 5)]) == [SEND]
    assert ledger.settle_many([claim("p", 7, passes=False)]) == [NOT]
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
    assert settle(ledger, *request) == [SEND, SEND, OVER]
    assert settle(ledger, claim("c", 6, top_k=2)) == [OVER]
    assert settle(ledger, claim("a", 7, day=2, top_k=2), claim("c", 7, day=2, top_k=2)) == [SUPPRESSED, SEND]
    assert settle(ledger, claim("d", 8, day=2, top_k=2), claim("e", 8, day=2, top_k=2)) == [SEND, OVER]


def test_a_suppressed_pair_uses_no_quota_and_a_released_one_gives_it_back(kv: KeyValue) -> None:
    ledger = AlertLedger(kv)
    assert settle(ledger, claim("a", 5)) == [SEND]
    assert ledger.settle_many([claim("a", 6, top_k=1), claim("b", 6, top_k=1)]) == [SUPPRESSED, SEND]
    # When the request is read again, the posting's newest version is of another day.
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
    assert settle(ledger, claim("a", 5, top_k=1)) == [SEND]
    now[0] += 499.0
    # settling it again does not prolong it
    assert settle(ledger, claim("a", 5, top_k=1)) == [SUPPRESSED]
    assert settle(ledger, claim("a", 6, top_k=1), claim("b", 6, top_k=1)) == [SUPPRESSED, OVER]
    (entry,) = ledger.entries([claim("a", 5).alert_id])
    assert (ledger.quota_used("s", 1), entry and entry.offset) == (1, 5)
    now[0] += 1.0
    assert (ledger.quota_used("s", 1), ledger.entries([claim("a", 5).alert_id])) == (0, [None])
    assert ledger.settle_many([claim("a", 6, top_k=1)]) == [SEND]
    kv.close()


def test_without_a_setting_an_entry_outlives_a_year() -> None:
    now = [0.0]
    ledger = AlertLedger(MemoryStore(lambda: now[0]))
    settle(ledger, claim("a", 5))
    now[0] = 399 * 86_400.0
    assert settle(ledger, claim("a", 6)) == [SUPPRESSED]
    now[0] = 400 * 86_400.0
    assert settle(ledger, claim("a", 6)) == [SEND]


def test_the_quota_used_is_counted_by_search_and_day() -> None:
    ledger = AlertLedger(MemoryStore(lambda: 0.0))
    ledger.settle_many([claim(name, 5, top_k=2) for name in "abc"])
    ledger.settle_many([claim("d", 6, day=2, top_k=2), claim("e", 6)])
    assert [ledger.quota_used("s", day) for day in (1, 2, 3)] == [2, 1, 0]
    assert ledger.quota_used("another", 1) == 0


class Cut(Exception):
    """Raised where the process is to die."""


class Cutting:
    """A store whose process dies at the last of `calls` merges, before it or after it."""

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
    topic = Topic()
    for offset in range(6):
        names = rng.sample("abcdef", rng.randint(1, 4))
        # A request is repeated until it commits; each time the features, and so the pairs that pass, may have changed.
        for attempt in range(4):
            request = [claim(name, offset, rng.random() < 0.6, day=1, top_k=top_k) for name in names]
            budget = rng.randint(1, 5) if attempt < 3 else 1_000
            ledger = AlertLedger(Cutting(kv, budget, after=rng.random() < 0.5), sent=topic)
            try:
                verdicts = ledger.settle_many(request)
            except Cut:
                continue
            if attempt == 3 or rng.random() < 0.5:
                break
        sent = [c.alert_id for c, verdict in zip(request, verdicts, strict=True) if verdict is SEND]
        room = top_k - len(committed) if top_k else len(names)
        free = [c.alert_id for c in request if c.passes and c.alert_id not in committed]
        assert sent == free[:room] if top_k == 0 or len(free) <= room else len(sent) == room
        committed += sent
        topic.alerts.update(sent)
        # the process may die after the commit, before it marks the entries, or while it does
        if rng.random() < 0.5:
            with suppress(Cut):
                ledger.transacted(sent, committed=True)
    assert len(set(committed)) == len(committed)


def test_a_failed_entry_is_raised_so_that_the_poll_is_repeated() -> None:
    class Failing(MemoryStore):
        def merge_many(
            self, keys: Sequence[bytes], merge: Merge, *, ttl_s: float | None = None
        ) -> list[bytes | None | StoreError]:
            return [StoreUnavailable(f"one of {len(keys)} failed; {merge} {ttl_s}")]

    with pytest.raises(StoreUnavailable, match="one of 1"):
        AlertLedger(Failing(lambda: 0.0)).settle_many([claim("p", 5)])


class Raced(MemoryStore):
    """A store in which another process always writes just before a merge, at most `times` times."""

    def __init__(self, times: int, other: Callable[[KeyValue], object]) -> None:
        super().__init__(lambda: 0.0)
        self.times, self.other, self.raced = times, other, False

    def merge_many(
        self, keys: Sequence[bytes], merge: Merge, *, ttl_s: float | None = None
    ) -> list[bytes | None | StoreError]:
        if self.times and not self.raced:
            self.times, self.raced = self.times - 1, True
            self.other(self)
            self.raced = False
        return super().merge_many(keys, merge, ttl_s=ttl_s)


@pytest.mark.parametrize("offset", [5, 9])
def test_a_claim_of_a_consumer_that_was_replaced_does_not_suppress_the_alert(offset: int) -> None:
    topic = Topic()
    raced = Raced(2, lambda kv: AlertLedger(kv, sent=topic).settle_many([claim("p", offset)]))
    assert settle(AlertLedger(raced, sent=topic), claim("p", 5)) == [SEND]
    assert settle(AlertLedger(raced, sent=topic), claim("p", 9)) == [SUPPRESSED]


def test_an_alert_that_another_process_has_sent_meanwhile_is_suppressed() -> None:
    topic = Topic()
    raced = Raced(1, lambda kv: settle(AlertLedger(kv, sent=topic), claim("p", 9)))
    assert settle(AlertLedger(raced, sent=topic), claim("p", 5)) == [SUPPRESSED]


def test_a_process_that_goes_on_claiming_the_same_alerts_is_told() -> None:
    raced = Raced(99, lambda kv: AlertLedger(kv).settle_many([claim("p", 9)]))
    with pytest.raises(StoreUnavailable, match="goes on claiming"):
        AlertLedger(raced).settle_many([claim("p", 5)])
