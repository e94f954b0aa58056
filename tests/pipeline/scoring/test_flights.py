"""The decisions of the score cache, under a clock that the test moves."""

import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.scoring.flights import Flight, FlightTable, Verdict
from pipeline.scoring.lifetimes import ScoreLifetimes
from schemas.errors import ConfigError

KEY, OTHER = b"k", b"o"


def table(seed: int = 1, entries: int = 1_000, **settings: float) -> FlightTable:
    settings.setdefault("rejected_s", min(120.0, settings.get("ttl_s", 900.0)))
    return FlightTable(ScoreLifetimes(**settings), entries=entries, rng=random.Random(seed))


def test_the_first_caller_leads_and_the_others_wait_until_it_is_filled() -> None:
    flights = table()
    assert flights.look_up(0.0, KEY).verdict is Verdict.LEAD
    assert {flights.look_up(0.5, KEY).verdict for _ in range(99)} == {Verdict.WAIT}
    kept, flight = flights.filled(1.0, KEY, 0.75, cost_s=1.0)
    assert flight is not None
    assert kept.score == 0.75
    look = flights.look_up(1.0, KEY)
    assert (look.verdict, look.score) == (Verdict.HIT, 0.75)
    assert (flights.counts.misses, flights.counts.waits, flights.counts.hits) == (1, 99, 1)
    assert flights.in_flight() == 0


def test_a_leader_that_dies_is_replaced_when_its_lease_ends_and_by_one_caller() -> None:
    flights = table(lease_s=10.0)
    flights.look_up(0.0, KEY)
    assert flights.look_up(9.999, KEY).verdict is Verdict.WAIT
    assert [flights.look_up(10.0, KEY).verdict for _ in range(3)] == [
        Verdict.LEAD,
        Verdict.WAIT,
        Verdict.WAIT,
    ]
    assert flights.counts.takeovers == 1


def test_a_leader_that_renews_its_lease_is_not_replaced_and_one_that_was_cannot_renew_any_more() -> None:
    flights = table(lease_s=10.0)
    first = flights.look_up(0.0, KEY).flight
    assert first is not None
    assert flights.renewed(9.0, first)
    assert flights.look_up(18.999, KEY).verdict is Verdict.WAIT
    assert flights.look_up(19.0, KEY).verdict is Verdict.LEAD
    assert not flights.renewed(20.0, first)
    assert flights.look_up(29.0, KEY).verdict is Verdict.LEAD, "the successor's lease is its own"


def test_a_late_leader_that_fails_leaves_its_successor_and_one_that_answers_ends_it() -> None:
    flights = table(lease_s=10.0)
    first = flights.look_up(0.0, KEY).flight
    second = flights.look_up(10.0, KEY).flight
    assert first is not None
    assert second is not None
    assert not flights.failed(11.0, first)
    assert flights.look_up(11.0, KEY).flight is second
    assert flights.filled(12.0, KEY, 0.5, cost_s=12.0)[1] is second
    assert not flights.failed(13.0, second)
    assert flights.counts.failures == 0


def test_a_failed_flight_lets_the_next_caller_lead() -> None:
    flights = table()
    flight = flights.look_up(0.0, KEY).flight
    assert flight is not None
    assert flights.failed(1.0, flight)
    assert flights.look_up(1.0, KEY).verdict is Verdict.LEAD
    assert flights.counts.failures == 1


def test_no_answer_is_older_than_the_hard_limit() -> None:
    flights = table(ttl_s=100.0, grace_s=10.0)
    flights.filled(0.0, KEY, 0.5, cost_s=0.0)
    assert flights.look_up(99.999, KEY).score == 0.5
    assert flights.look_up(100.0, KEY).verdict is Verdict.WAIT, "for the refresh that began before"
    assert flights.peek(100.0, KEY) is None


def test_an_expired_score_is_answered_while_one_caller_computes_it_anew() -> None:
    flights = table(ttl_s=100.0, grace_s=10.0, jitter=0.0)
    flights.filled(0.0, KEY, 0.5, cost_s=0.1)
    looks = [flights.look_up(90.0, KEY) for _ in range(10)]
    assert [look.verdict for look in looks] == [Verdict.EARLY] + [Verdict.HIT] * 9
    assert {look.score for look in looks} == {0.5}
    assert (flights.counts.early, flights.counts.stale) == (1, 9)
    flights.filled(90.1, KEY, 0.6, cost_s=0.1)
    assert flights.look_up(90.1, KEY).score == 0.6


def test_a_refresh_that_fails_rests_for_a_lease_while_the_old_score_is_answered() -> None:
    flights = table(ttl_s=100.0, grace_s=30.0, jitter=0.0, lease_s=5.0)
    flights.filled(0.0, KEY, 0.5, cost_s=0.1)
    flight = flights.look_up(70.0, KEY).flight
    assert flight is not None
    flights.failed(71.0, flight)
    assert flights.look_up(75.9, KEY).verdict is Verdict.HIT
    assert flights.look_up(76.0, KEY).verdict is Verdict.EARLY


@pytest.mark.parametrize(("rate", "cost_s"), [(1.0, 0.5), (10.0, 0.5), (30.0, 0.02)])
def test_a_hot_key_is_refreshed_in_time_and_hardly_too_early(rate: float, cost_s: float) -> None:
    """Readers at `rate` a second for about ten lifetimes; each refresh takes `cost_s`."""
    flights = table(ttl_s=90.0, grace_s=3.0)
    flights.filled(0.0, KEY, 0.5, cost_s)
    done: float | None = None
    refreshes, used = 0, []
    born = 0.0
    for n in range(int(900 * rate)):
        now = n / rate
        if done is not None and now >= done:
            flights.filled(done, KEY, 0.5, cost_s)
            born, done = done, None
        look = flights.look_up(now, KEY)
        assert look.verdict in (Verdict.HIT, Verdict.EARLY), "no reader waits"
        if look.verdict is Verdict.EARLY:
            kept = flights.peek(now, KEY)
            assert kept is not None
            used.append((now - born) / (kept.expires_s - born))
            done, refreshes = now + cost_s, refreshes + 1
    assert refreshes >= 10
    assert sum(used) / len(used) > 0.98, "refreshes that begin early cost less than 2%"


def test_scores_kept_together_expire_evenly_and_never_late() -> None:
    flights = table(ttl_s=900.0, grace_s=30.0, jitter=0.2)
    expiries = [flights.filled(0.0, b"%d" % n, 0.5, cost_s=0.1)[0].expires_s for n in range(5_000)]
    assert 870 * 0.8 <= min(expiries) < max(expiries) <= 870
    assert max(Counter(int(expiry) for expiry in expiries).values()) <= 1.2 * 5_000 / 174


def test_a_refused_item_is_not_asked_again_for_a_shorter_time_than_a_score() -> None:
    flights = table(rejected_s=120.0)
    flights.look_up(0.0, KEY)
    _, flight = flights.rejected(1.0, KEY, "poison")
    assert flight is not None
    look = flights.look_up(120.9, KEY)
    assert (look.verdict, look.reason) == (Verdict.REJECTED, "poison")
    assert flights.look_up(121.0, KEY).verdict is Verdict.LEAD


def test_what_was_not_read_for_long_makes_room() -> None:
    flights = table(entries=2)
    for key in (KEY, OTHER):
        flights.filled(0.0, key, 0.5, cost_s=0.0)
    flights.look_up(1.0, KEY)
    flights.filled(2.0, b"third", 0.5, cost_s=0.0)
    assert [flights.look_up(3.0, key).verdict for key in (KEY, OTHER)] == [Verdict.HIT, Verdict.LEAD]


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_is_refused(score: float) -> None:
    flights = table()
    flights.look_up(0.0, KEY)
    with pytest.raises(ValueError, match="finite"):
        flights.filled(1.0, KEY, score, cost_s=1.0)
    assert flights.look_up(1.0, KEY).verdict is Verdict.WAIT


@pytest.mark.parametrize("cost_s", [math.nan, math.inf, -0.1])
def test_a_time_that_cannot_be_is_refused(cost_s: float) -> None:
    with pytest.raises(ValueError, match="time that a score took"):
        table().filled(1.0, KEY, 0.5, cost_s)


@pytest.mark.parametrize("now", [4.999, math.nan])
def test_a_clock_that_steps_back_is_refused(now: float) -> None:
    flights = table()
    flight = flights.look_up(5.0, KEY).flight
    assert flight is not None
    for call in (
        lambda: flights.look_up(now, KEY),
        lambda: flights.filled(now, KEY, 0.5, 0.0),
        lambda: flights.rejected(now, KEY, "x"),
        lambda: flights.failed(now, flight),
    ):
        with pytest.raises(ValueError, match=r"stepped back from 5\.0"):
            call()


@pytest.mark.parametrize(
    "wrong",
    [
        {"ttl_s": 0.0},
        {"ttl_s": math.nan},
        {"ttl_s": math.inf},
        {"grace_s": 900.0},
        {"grace_s": -1.0},
        {"jitter": 1.0},
        {"jitter": math.nan},
        {"rejected_s": 901.0},
        {"lease_s": 0.0},
        {"beta": 0.0},
    ],
)
def test_a_setting_that_cannot_work_is_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        ScoreLifetimes(**wrong)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["look", "look", "look", "fill", "fail", "reject"]),
        st.sampled_from([KEY, OTHER, b"third"]),
        st.floats(0.0, 60.0),
    ),
    max_size=120,
)


@given(steps=STEPS, seed=st.integers(0, 99), entries=st.integers(1, 4))
def test_whatever_happens_each_key_has_one_leader_and_no_answer_is_too_old(
    steps: list[tuple[str, bytes, float]], seed: int, entries: int
) -> None:
    flights = table(seed, entries=entries, ttl_s=200.0, grace_s=20.0, rejected_s=50.0, lease_s=10.0)
    leading: dict[bytes, Flight] = {}
    scored_at: dict[bytes, tuple[float, float]] = {}
    now, lookups = 0.0, 0
    for n, (what, key, pause_s) in enumerate(steps):
        now += pause_s
        if what == "look":
            lookups += 1
            look = flights.look_up(now, key)
            if look.verdict in (Verdict.LEAD, Verdict.EARLY):
                before = leading.get(key)
                assert before is None or now >= before.ends_s, "a second leader before the lease ended"
                assert look.flight is not None
                leading[key] = look.flight
            if look.verdict is Verdict.WAIT:
                assert leading[key] is look.flight
                assert now < leading[key].ends_s
            if look.verdict in (Verdict.HIT, Verdict.EARLY):
                written, score = scored_at[key]
                assert look.score == score
                assert now - written < 200.0
        elif what == "fill":
            _, ended = flights.filled(now, key, float(n), cost_s=pause_s / 10)
            assert ended is leading.pop(key, None)
            scored_at[key] = (now, float(n))
        elif what == "reject":
            flights.rejected(now, key, "poison")
            leading.pop(key, None)
            assert flights.look_up(now, key).verdict is Verdict.REJECTED
            lookups += 1
        elif key in leading:
            assert flights.failed(now, leading.pop(key))
    assert flights.counts.lookups == lookups
    assert flights.in_flight() == len(leading)
