"""The alert consumer's loop without a broker: outages, deferrals, poison, aborts and kills; each pair alerts once."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.prompts import Item
from schemas.codec import decode, encode
from schemas.keys import alert_id
from schemas.records import SavedSearch, ScoreRequest, State
from streaming.alerting.loop import RequestLoop
from tests.streaming.alerting.play import Killed, Model, Play, World


def test_offsets_commit_with_the_alerts_or_neither() -> None:
    world = World()
    world.store(0)
    world.request("a", 0)
    loop, log = world.start()
    log.refuse = 3
    loop.turn()
    assert (world.alerts(), world.committed) == ([], {})
    world.turns(loop)
    assert world.pairs() == {("a", "p0"): 1}
    assert world.lag() == 0


def test_an_outage_is_waited_out_with_paused_partitions_and_leaves_no_dead_letter() -> None:
    world = World()
    world.store(0)
    world.request("a", 0)
    world.model.away = True
    loop, log = world.start()
    world.turns(loop, count=3000)
    assert log.paused
    assert len(world.model.calls) < 400  # 15 minutes; at most one attempt in 2.5 s on average
    assert world.lag() == 1
    world.model.away = False
    world.turns(loop, count=60)
    assert world.pairs() == {("a", "p0"): 1}
    assert world.letters() == []


def test_what_was_settled_before_an_outage_is_committed_in_the_same_turn() -> None:
    world = World()
    world.store(0)
    for n in range(20):
        world.request("a", 0 if n < 10 else 1)
    world.store(1, title="Refuser nurse")
    loop, _ = world.start()

    class HalfAway(Model):
        def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
            self.away = any("Refuser" in item.title for item in items)
            return Model.score_many(self, query, items, deadline_s)

    world.model = HalfAway()
    loop, _ = world.start()
    loop.turn()
    assert sum(world.committed.values()) == 8
    assert world.pairs() == {("a", "p0"): 1}


def test_a_request_waits_for_missing_features_and_keeps_its_partitions_order() -> None:
    world = World()
    world.store(0)
    world.request("a", 7)
    world.request("a", 0)
    loop, _ = world.start(defer_s=60.0)
    world.turns(loop)
    assert world.alerts() == []
    assert world.lag() == 2
    world.store(7)
    world.turns(loop)
    assert world.pairs() == {("a", "p7"): 1, ("a", "p0"): 1}


def test_another_partition_does_not_wait() -> None:
    world = World()
    world.store(0)
    world.request("a", 7)
    world.request("b", 0)
    loop, _ = world.start(defer_s=60.0)
    loop.turn()
    assert world.pairs() == {("b", "p0"): 1}


def test_features_that_never_come_are_given_up_and_counted() -> None:
    world = World()
    world.store(0)
    for _ in range(30):
        world.request("a", 7, 0)
    loop, _ = world.start(defer_s=5.0)
    world.turns(loop)
    assert world.lag() == 0
    assert world.pairs() == {("a", "p0"): 1}
    assert loop.metrics.candidates.labels("deferred")._value.get() == 30


def test_a_pair_given_up_after_a_crash_may_still_alert_for_a_later_request() -> None:
    world = World()
    world.store(0)
    world.request("a", 0)
    world.kill_at = "after-ledger"
    loop, _ = world.start()
    _until_killed(world, loop)
    # the text changes, its summary is not there yet: the first request is given up
    world.store(0, version=2, input_hash=b"j" * 16, summary_version=1)
    loop, _ = world.start()
    world.turns(loop)
    assert (world.lag(), world.alerts()) == (0, [])
    world.store(0, version=2, input_hash=b"j" * 16, summary_hash=b"j" * 16)
    world.request("a", 0, version=2)
    world.turns(loop)
    assert world.pairs() == {("a", "p0"): 1}


def test_a_search_that_comes_back_after_an_unsubscribe_still_gets_its_alert() -> None:
    world = World()
    world.store(0)
    world.request("a", 0)
    world.kill_at = "after-ledger"
    loop, _ = world.start()
    _until_killed(world, loop)
    world.gone.add("a")
    loop, _ = world.start()
    world.turns(loop)
    assert (world.lag(), world.alerts()) == (0, [])
    world.gone.clear()
    world.request("a", 0)
    world.turns(loop)
    assert world.pairs() == {("a", "p0"): 1}


def test_poison_leaves_alone_and_its_neighbours_alert() -> None:
    world = World()
    for n in range(4):
        world.store(n)
    world.store(2, version=2, title="nurse poison")
    world.model.refuses = {"nurse poison"}
    world.request("a", 0, 1, 2, 3)
    loop, _ = world.start()
    world.turns(loop)
    assert set(world.pairs()) == {("a", f"p{n}") for n in (0, 1, 3)}
    (letter,) = world.letters()
    assert [c.posting_id for c in decode(ScoreRequest, letter.value or b"").candidates] == ["p2"]
    assert (letter.headers["topic"], letter.headers["offset"]) == (b"score.requests", b"0")


def test_broken_requests_are_dead_letters_and_stop_nothing() -> None:
    world = World()
    world.store(0)
    world.topic.append(b"\x00", partition=1)
    world.topic.append(None, partition=1)
    search = SavedSearch(search_id="nan", query="nurse", threshold=float("nan"))
    nan = encode(ScoreRequest(search=search, candidates=(), created_ms=0))
    world.topic.append(nan, partition=1)
    world.request("a", 0)
    loop, _ = world.start()
    world.turns(loop)
    assert world.pairs() == {("a", "p0"): 1}
    assert [m.value for m in world.letters()] == [b"\x00", b"", nan]


def test_a_long_request_goes_back_in_parts_that_lose_no_candidate() -> None:
    world = World()
    for n in range(35):
        world.store(n)
    world.request("a", *range(35))
    loop, _ = world.start()
    world.turns(loop)
    assert world.pairs() == {("a", f"p{n}"): 1 for n in range(35)}
    assert max(count for _, count in world.model.calls) <= 35
    assert world.lag() == 0


def test_an_alert_larger_than_its_topic_is_a_dead_letter() -> None:
    world = World()
    world.store(0, title="nurse " + "x" * 1_100_000)
    world.request("a", 0)
    loop, _ = world.start()
    world.turns(loop)
    assert world.alerts() == []
    assert len(world.letters()) == 1
    assert world.lag() == 0


def _until_killed(world: World, loop: RequestLoop) -> None:
    try:
        world.turns(loop)
    except Killed:
        return
    raise AssertionError("nothing killed it")


NUMBERS = st.integers(0, 1)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), NUMBERS, st.sampled_from(["passes", "fails", "pending", "closed"])),
        st.tuples(st.just("turns"), st.integers(1, 12), st.just("")),
        st.tuples(st.just("kill"), st.just(0), st.sampled_from(["", "after-ledger"])),
        st.tuples(st.just("away"), st.integers(0, 1), st.just("")),
        st.tuples(st.just("refuse"), st.integers(0, 2), st.just("")),
        st.tuples(st.just("repeat"), NUMBERS, st.just("")),
    ),
    max_size=40,
)


@pytest.mark.timeout(60)
@settings(max_examples=200, deadline=None)
@given(ACTIONS)
def test_whatever_happens_each_pair_that_passes_in_the_end_alerts_once_in_its_opening(
    actions: list[tuple[str, int, str]],
) -> None:
    play = Play()
    for action in actions:
        play.act(*action)
    play.end()
    alerts = play.world.alerts()
    ids = Counter(alert.alert_id for alert in alerts)
    assert set(ids.values()) <= {1}
    assert all((alert.posting_id, alert.version) in play.passed for alert in alerts)
    finals = [held for number in range(2) if (held := play.held(number)) is not None]
    passing = [held for held in finals if held.state is State.OPEN and held.title == "nurse"]
    for held in passing:
        for search_id in "ab":
            assert alert_id(search_id, held.posting_id, held.episode) in ids
    assert play.world.lag() == 0
    assert play.world.letters() == []
